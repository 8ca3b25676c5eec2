"""What changes the numbers of a measure, besides the network."""

from dataclasses import dataclass, replace
from typing import Literal

from icc_cli.errors import UsageError

CONVENTIONS = ("paper", "reference")
AUTO: Literal["auto"] = "auto"
NEURONS_A_PLACE = 64
"""`auto` takes the best 1/64 of a network's neurons: the paper's 30 of its smallest wide ResNet's 1,920."""


@dataclass(frozen=True)
class Options:
    """`k` is for neurons over all sites, `layer_k` for sites, `site_k` for neurons within one site (used by
    `per_site`); `all_k` adds every k of the measures over neurons.

    k `auto` is floor(n/64 + 1/2) of the network's n neurons, at least 1: the mean of a fixed number of best neurons
    grows with the number to choose from, that of a fixed share does not.

    UsageError for a k under 1 or an unknown convention.
    """

    k: int | Literal["auto"] = 30
    layer_k: int = 1
    site_k: int = 5
    convention: str = "paper"
    per_site: bool = False
    all_k: bool = False

    def __post_init__(self) -> None:
        for name in ("k", "layer_k", "site_k"):
            if getattr(self, name) != AUTO and getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.convention not in CONVENTIONS:
            raise UsageError(f"unknown convention {self.convention!r}.", f"Expected one of {', '.join(CONVENTIONS)}.")

    @property
    def neurons(self) -> int:
        """k as a number; `auto` has to be settled first."""
        if self.k == AUTO:
            raise UsageError("k is 'auto', and the number of neurons is not known.")
        return self.k

    def settled(self, neurons: int) -> "Options":
        """These options for a network of so many neurons, k a number."""
        if self.k != AUTO:
            return self
        return replace(self, k=max(1, (2 * neurons + NEURONS_A_PLACE) // (2 * NEURONS_A_PLACE)))
