"""What changes the numbers of a measure, besides the network."""

from dataclasses import dataclass

from icc_cli.errors import UsageError

CONVENTIONS = ("paper", "reference")


@dataclass(frozen=True)
class Options:
    """`k` is for neurons over all sites, `layer_k` for sites, `site_k` for neurons within one site (used by
    `per_site`); `all_k` adds every k of the measures over neurons.

    UsageError for a k under 1 or an unknown convention.
    """

    k: int = 30
    layer_k: int = 1
    site_k: int = 5
    convention: str = "paper"
    per_site: bool = False
    all_k: bool = False

    def __post_init__(self) -> None:
        for name in ("k", "layer_k", "site_k"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.convention not in CONVENTIONS:
            raise UsageError(f"unknown convention {self.convention!r}.", f"Expected one of {', '.join(CONVENTIONS)}.")
