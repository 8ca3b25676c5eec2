"""A linear network whose sigma' and alpha' are known, computed without the package's perturbations."""

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.stats import norm
from torch import nn

from icc_cli.data import Split
from icc_cli.perturbation.samples import of_split
from icc_cli.subject import Normalisation

CPU = torch.device("cpu")
MEAN, STD = (0.5,), (0.5,)


def linear(images=400, pixels=16, one_class=False, seed=0):
    """(network, split) of two classes that the network tells apart without error."""
    random = np.random.default_rng(seed)
    pictures = random.integers(128 if one_class else 0, 256, (images, 1, pixels, 1), dtype=np.uint8)
    network = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 2, bias=False))
    weights = random.normal(0, 0.3, (2, pixels))
    if one_class:
        weights[0] = weights[1] + np.abs(random.normal(0.04, 0.03, pixels))
    network[1].weight.data = torch.tensor(weights, dtype=torch.float32)
    inputs = flat(pictures)
    return network, Split(pictures, (inputs @ weights.T).argmax(1))


def flat(pictures):
    return (pictures.reshape(len(pictures), -1) / 255 - MEAN[0]) / STD[0]


def samples(split, mean=MEAN, std=STD):
    """All of `split` as the perturbations take it."""
    return of_split(split, Normalisation(mean, std), CPU, np.arange(len(split)))


def margins(network, split):
    """(margins (N,), inputs (N, d), abs(w) + 1e-3 (2, d))."""
    inputs, weights = flat(split.images), network[1].weight.detach().double().numpy()
    logits = inputs @ weights.T
    right = logits[np.arange(len(inputs)), split.labels]
    return right - logits[np.arange(len(inputs)), 1 - split.labels], inputs, np.abs(weights) + 1e-3


def sigma(network, split, target):
    """The m at which the mean over images of Phi(margin / (m |(s_0, s_1) x|)) is the target."""
    margin, inputs, sizes = margins(network, split)
    spread = np.sqrt((inputs**2) @ (sizes**2).sum(0))
    return brentq(lambda m: norm.cdf(margin / (m * spread)).mean() - target, 1e-4, 10)


def alpha(network, split, target):
    """With one class and inputs over 0 all images share their worst corner: the target's quantile of
    margin / sum (s_0 + s_1) x."""
    margin, inputs, sizes = margins(network, split)
    return np.quantile(margin / (inputs @ sizes.sum(0)), 1 - target)
