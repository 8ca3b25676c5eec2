"""What a measure is: one declaration that says everything whoever computes, ranks or draws it has to know."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from icc_cli.catalog import About
from icc_cli.errors import UsageError
from icc_cli.measures.site import Array

Over = Literal["neurons", "sites", "head", "network"]
Groups = Literal["subclasses", "classes", "none"]
Average = Literal["median", "mean"]
Take = Literal["best", "all"]


@dataclass(frozen=True)
class Measure(About):
    """A measure of a network, from its sites, its head, or all that is known of it.

    With g the number of groups (1 for `none`) and n of neurons, `scores`

    - over `neurons` takes the SiteView of a site and gives (g, n) scores, (n,) for `none`;
    - over `sites` takes the same and gives (g,) scores, a number for `none`;
    - over the `head` takes Features, the inputs of the last linear layer, and gives (g,) scores, a number for `none`;
      `--per-site` gives it a site's activations max(x, 0) instead;
    - over the `network` takes a Network and gives a number.

    NaN stands for what is not defined: a group that is NaN throughout is left out, with a note. Where nothing is
    defined it gives None, or raises Absent with the reason. The network's value is the `average` over the groups: over
    neurons of the mean of the best `k` of all sites together (or of `all` of them), over sites of the best `layer_k`.
    `reduce` brings another: it is given the value of each site, in the order of the forward pass.

    >>> import numpy as np
    >>> Measure("firing", lambda view: (view.array() > 0).mean(axis=0), over="neurons", with_accuracy=-1).settings
    ('k',)
    """

    scores: Callable[[Any], Array | float | None]
    _: KW_ONLY
    over: Over
    groups: Groups = "none"
    average: Average = "mean"
    take: Take = "best"
    fixed: tuple[tuple[str, int], ...] = ()
    """What its numbers depend on and no option changes, such as the seed of a draw; records say it."""
    reduce: Callable[[Sequence[float]], float | None] | None = None

    def __post_init__(self) -> None:
        for field, value, choices in (
            ("over", self.over, ("neurons", "sites", "head", "network")),
            ("groups", self.groups, ("subclasses", "classes", "none")),
            ("average", self.average, ("median", "mean")),
            ("take", self.take, ("best", "all")),
            ("with_accuracy", self.with_accuracy, (1, 0, -1)),
        ):
            if value not in choices:
                raise UsageError(f"the measure {self.name!r} has {field} {value!r}, expected one of {choices}.")
        if not self.name or not all(c.isalnum() or c in "_.-'" for c in self.name):
            raise UsageError(f"{self.name!r} cannot name a measure.", "Use letters, digits, _ . - and '.")
        if not self.settings and self.reduce is None and self.take == "best":
            object.__setattr__(self, "settings", {"neurons": ("k",), "sites": ("layer_k",)}.get(self.over, ()))

    @property
    def whole(self) -> bool:
        """Whether the network's value is taken at once, and not from the sites."""
        return self.over == "network" or (self.over == "head" and self.reduce is None)
