"""How activations are taken. Imports no torch."""

from dataclasses import dataclass

from icc_cli.errors import UsageError
from icc_cli.parts import Part


@dataclass(frozen=True)
class Sites:
    """Which calls are sites: the names of the activation functions, and globs over the names of sites.

    A site counts when one of `include` (or nothing, when it is empty) matches its name, and none of `exclude`.
    """

    activations: tuple[str, ...] = ("relu",)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    axes: tuple[tuple[str, int], ...] = ()
    """Globs over the names of sites, and the axis of the pre-activation that holds their neurons: the first that fits
    overrules what follows from the layers."""


@dataclass(frozen=True)
class Extraction:
    """How activations are taken."""

    device: str | None = None
    """cpu, cuda, cuda:1, mps; `auto` takes a GPU when there is one; None where the network is."""
    batch_size: int | None = None
    """Samples a forward pass; None takes what is fastest, within memory."""
    store_dtype: str = "float32"
    precision: str = "float32"
    """`bfloat16` lets torch compute convolutions and products in it (autocast)."""
    sites: Sites = Sites()
    with_test: bool = False
    """Caches hold the test split too."""
    rows: Part | None = None
    """The part of the rows of either split that is taken; None for all."""

    def __post_init__(self) -> None:
        for name, known in (("store_dtype", ("float32", "float16")), ("precision", ("float32", "bfloat16"))):
            if getattr(self, name) not in known:
                raise UsageError(f"unknown {name} {getattr(self, name)!r}.", f"Expected one of {', '.join(known)}.")
