"""What is asked of a search for the largest magnitude, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from icc_cli.errors import UsageError

CONVERGED = "converged"
HIT_BOUND = "hit-bound"
UNDEFINED = "undefined"
NOT_CONVERGED = "not-converged"

MODES = ("random", "worst")
METHODS = ("sequential", "reference")
SMALLEST = 1e-5
"""No magnitude under this is looked for."""


@dataclass(frozen=True)
class Target:
    """The accuracy to be kept: `value` itself (kind `accuracy`), or the network's own less `value` (kind `drop`)."""

    kind: str = "accuracy"
    value: float = 0.9

    def of(self, clean: float) -> float:
        """The accuracy asked of a network whose accuracy without perturbation is `clean`."""
        return self.value if self.kind == "accuracy" else clean - self.value

    @classmethod
    def parse(cls, text: str) -> "Target":
        """`accuracy:0.9` or `drop:0.1`; UsageError for anything else."""
        kind, _, value = text.partition(":")
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if kind not in ("accuracy", "drop") or not 0 < number < 1:
            raise UsageError(
                f"the target is accuracy:X or drop:X with X between 0 and 1, got {text!r}.",
                "The paper's is accuracy:0.9.",
            )
        return cls(kind, number)

    def __str__(self) -> str:
        return f"{self.kind}:{self.value:g}"


@dataclass(frozen=True)
class Settings:
    """Everything that changes the numbers, besides the network and its data."""

    target: Target = Target()
    method: str = "sequential"
    """`sequential`, or `reference`: the authors' bisection."""
    modes: tuple[str, ...] = ("random", "worst")
    kernels_only: bool = False
    bn: str | None = None
    """Batch norm for all measures: `eval`, `batch`; None takes eval for all weights and batch for the kernels."""
    tolerance: float = 0.05
    """The sequential search stops at this standard error of 1/m, as a share of 1/m."""
    seed: int = 0
    ascent_steps: int = 250
    """Steps of one ascent; the learning rate falls after three fifths of them."""
    max_samples: int | None = None
    """So many samples, drawn at random, the same for every network of a seed; None takes all."""

    def __post_init__(self) -> None:
        if not self.modes or set(self.modes) - set(MODES):
            raise UsageError(f"the modes are {' and '.join(MODES)}, got {', '.join(self.modes) or 'none'}.")
        for name, value, choices in (("method", self.method, METHODS), ("bn", self.bn, (None, "eval", "batch"))):
            if value not in choices:
                raise UsageError(f"unknown {name} {value!r}.", f"Expected one of {', '.join(map(str, choices))}.")


@dataclass(frozen=True)
class Estimate:
    """The answer of one search.

    `inverse` is 1/m, None when undefined; `standard_error` is that of 1/m, None when the search gives none;
    `accuracy` is what was reached at m; `passes` counts samples: 1 for a forward pass, 3 for one with its gradient.
    """

    outcome: str
    inverse: float | None
    standard_error: float | None
    accuracy: float | None
    passes: int
    draws: int


class Sampler(Protocol):
    """Accuracy of the perturbed network at a magnitude, one random draw after another."""

    upper: float
    """The magnitudes that are searched are in [0, upper]."""
    images: int
    """Images that one draw's accuracy is over."""
    passes: int
    """Sample passes spent so far."""
    block: int
    """Draws that are worth taking together."""

    def accuracies(self, magnitude: float, draws: Sequence[int], target: float) -> NDArray[np.float64]:
        """Accuracies (draws,) in 0..1. A draw's number fixes its randomness, whatever the magnitude.

        A draw that ends under `target` for certain may be given as 0.
        """
        ...

    def rough(self, magnitude: float, draws: Sequence[int], target: float) -> NDArray[np.float64]:
        """The same where a guess will do: may be cheaper, and a little too high."""
        ...
