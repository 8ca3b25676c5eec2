"""What a measure is: one declaration that says everything whoever computes, ranks or draws it has to know."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from icc_cli.catalog import About
from icc_cli.errors import UsageError
from icc_cli.measures.site import Array
from icc_cli.measures.view import SiteView

Over = Literal["neurons", "sites"]
Groups = Literal["subclasses", "classes", "none"]
Average = Literal["median", "mean"]


@dataclass(frozen=True)
class Measure(About):
    """A measure of a network, from its sites.

    `scores` takes a SiteView and gives, with g the number of groups (1 for `none`) and n of neurons,

    - over `neurons`: (g, n) scores, (n,) for `none`;
    - over `sites`: (g,) scores, a number for `none`, or None when the site has no value.

    NaN stands for what is not defined: a group that is NaN throughout is left out, with a note. The network's value is
    the `average` over the groups of the mean of the best `k` neurons of all sites together, or of the best `layer_k`
    sites. `reduce` brings another: it is given the value of each site, in the order of the forward pass.

    >>> import numpy as np
    >>> Measure("firing", lambda view: (view.array() > 0).mean(axis=0), over="neurons", with_accuracy=-1).settings
    ('k',)
    """

    scores: Callable[[SiteView], Array | float | None]
    _: KW_ONLY
    over: Over
    groups: Groups = "none"
    average: Average = "mean"
    reduce: Callable[[Sequence[float]], float | None] | None = None

    def __post_init__(self) -> None:
        for field, value, choices in (
            ("over", self.over, ("neurons", "sites")),
            ("groups", self.groups, ("subclasses", "classes", "none")),
            ("average", self.average, ("median", "mean")),
            ("with_accuracy", self.with_accuracy, (1, 0, -1)),
        ):
            if value not in choices:
                raise UsageError(f"the measure {self.name!r} has {field} {value!r}, expected one of {choices}.")
        if not self.name or not all(c.isalnum() or c in "_.-'" for c in self.name):
            raise UsageError(f"{self.name!r} is no name for a measure.", "Use letters, digits, _ . - and '.")
        if not self.settings and self.reduce is None:
            object.__setattr__(self, "settings", ("k",) if self.over == "neurons" else ("layer_k",))
