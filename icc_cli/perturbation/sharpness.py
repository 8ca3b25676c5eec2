"""The four sharpness measures of one network."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn

from icc_cli.data import Split
from icc_cli.extraction.inference import exact_float32
from icc_cli.loading import world_of
from icc_cli.perturbation import alpha, reference, sigma
from icc_cli.perturbation.ascent import Ascents
from icc_cli.perturbation.estimate import CONVERGED, UNDEFINED, Estimate, Settings
from icc_cli.perturbation.random_draws import RandomDraws
from icc_cli.perturbation.samples import Samples
from icc_cli.perturbation.weight_space import WeightSpace, weight_space

MEASURES = {
    "inv_sigma": ("random", False),
    "inv_alpha": ("worst", False),
    "inv_sigma_kernels": ("random", True),
    "inv_alpha_kernels": ("worst", True),
}
"""Each measure's mode, and whether it perturbs kernels alone (by default with batch norm on batch statistics)."""
REFERENCE_DRAWS = 10
COPIES = {"random": 3, "worst": 6}
"""Of the weights: a copy, the scales and a draw; or a copy, the box and its radii, the point and its gradient."""
BATCH = 512
"""Samples of one forward pass, at the most."""


@dataclass(frozen=True)
class Sharpness:
    """Estimates by the measure's name, only those asked for; accuracies without perturbation by batch norm's mode."""

    estimates: dict[str, Estimate] = field(default_factory=dict)
    clean: dict[str, float] = field(default_factory=dict)
    bn: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def measures(self) -> dict[str, float | None]:
        """Every measure by name; None where it is not defined, or was not asked for."""
        return {name: self.estimates[name].inverse if name in self.estimates else None for name in MEASURES}

    def __getitem__(self, name: str) -> float | None:
        return self.measures[name]


def seed_of(settings: Settings, weights_sha256: str) -> str:
    """What all randomness derives from. The name and the data play no part: the same weights, the same numbers."""
    return f"{settings.seed}/{weights_sha256}"


def sharpness_on(
    network: nn.Module,
    samples: Samples,
    settings: Settings,
    seed: str,
    batch_size: int = BATCH,
    progress: Callable[[int], None] = lambda measures: None,
) -> Sharpness:
    """The measures that `settings` ask for, of `network` on `samples`.

    `seed` stands for the user's seed and the weights: the same one gives the same numbers, on one kind of device.
    CheckpointError when the network does not take the samples or has too few outputs for the labels.
    """
    result = Sharpness()
    with world_of(network):
        for name in wanted(settings):
            mode, kernels = MEASURES[name]
            bn = settings.bn or ("batch" if kernels else "eval")
            space = weight_space(
                network, samples, kernels_only=kernels, batch_statistics=bn == "batch", batch_size=batch_size
            )
            with exact_float32():
                if bn not in result.clean:
                    result.clean[bn] = space.accuracy()
                estimate = _estimate(space, mode, settings, f"{seed}/{name}", result.clean[bn])
            result.estimates[name], result.bn[name] = estimate, bn
            if estimate.outcome != CONVERGED:
                result.notes.append(_note(name, estimate, result.clean[bn], settings))
            progress(1)
    return result


def wanted(settings: Settings) -> list[str]:
    """The measures that `settings` ask for."""
    return [
        name
        for name, (mode, kernels) in MEASURES.items()
        if mode in settings.modes and (kernels or not settings.kernels_only)
    ]


def bytes_of(network: nn.Module, split: Split, rows: int, settings: Settings) -> int:
    """Bytes that `rows` images of `split`, and the weights in all the copies that a search holds, take at the least."""
    weights = sum(tensor.nbytes for tensor in network.parameters())
    images = 0 if split.inputs is not None else rows * math.prod(split.images.shape[1:])
    return images + weights * max(COPIES[mode] for mode in settings.modes)


def _estimate(space: WeightSpace, mode: str, settings: Settings, seed: str, clean: float) -> Estimate:
    target = settings.target.of(clean)
    if not space.weights or target <= 0 or clean <= target:
        return Estimate(UNDEFINED, None, None, clean, 0, 0)
    if settings.method == "reference":
        if mode == "random":
            return reference.bisect(RandomDraws(space, seed, space.share), target, REFERENCE_DRAWS)
        return reference.bisect(Ascents(space, seed, settings.ascent_steps, thorough=True), target, 1)
    if mode == "random":
        return sigma.search(RandomDraws(space, seed), target, settings.tolerance)
    return alpha.search(Ascents(space, seed, settings.ascent_steps), target)


def _note(name: str, estimate: Estimate, clean: float, settings: Settings) -> str:
    if estimate.outcome == UNDEFINED:
        return f"{name} is not defined: accuracy is {clean:.3f} without perturbation, the target {settings.target}"
    if estimate.outcome == "hit-bound":
        return f"{name}: the target is not met within the bounds of the search, whose inverse is recorded"
    return f"{name}: the search ended before its standard error was within the tolerance"
