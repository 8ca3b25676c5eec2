"""What the network answers on the training data: margin, confidence, calibration."""

import numpy as np

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.site import Array
from icc_cli.measures.whole import Network

PERCENTILE = 10
BINS = 15


def margin(network: Network) -> float:
    """10th percentile (linear interpolation) over the samples of z_y - max of the others, z the logits."""
    margins = []
    for z, labels in network.logits():
        if z.shape[1] < 2:
            raise Absent("the network has one output")
        rows = np.arange(len(z))
        own = z[rows, labels]
        z[rows, labels] = -np.inf
        margins.append(own - z.max(axis=1))
    return float(np.percentile(np.concatenate(margins), PERCENTILE))


def confidence(network: Network) -> float:
    """Mean over the samples of the largest softmax, 1/K'..1."""
    return float(_confidences(network)[0].mean())


def ece(network: Network) -> float:
    """Expected calibration error, 0..1 (Guo et al. 2017): sum over bins of share |accuracy - confidence|.

    15 bins of equal width over the largest softmax, each closed above: (0, 1/15], ..., (14/15, 1].
    """
    found, correct = _confidences(network)
    bins = np.clip(np.ceil(found * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, correct.astype(np.float64) - found, BINS)
    return float(np.abs(gaps).sum() / len(found))


def cross_entropy(network: Network) -> float:
    """Mean over the samples of -log softmax of the label's logit."""
    losses = []
    for z, labels in network.logits():
        z -= z.max(axis=1, keepdims=True)
        losses.append(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels])
    return float(np.concatenate(losses).mean())


def _confidences(network: Network) -> tuple[Array, np.ndarray]:
    """The largest softmax of each sample (N,), and whether it is its class' (N,)."""
    found, correct = [], []
    for z, labels in network.logits():
        z -= z.max(axis=1, keepdims=True)
        found.append(1 / np.exp(z).sum(axis=1))
        correct.append(z.argmax(axis=1) == labels)
    return np.concatenate(found), np.concatenate(correct)


MARGIN = Measure("margin", margin, over="network", with_accuracy=1)
CONFIDENCE = Measure("confidence", confidence, over="network", with_accuracy=0)
ECE = Measure("ece", ece, over="network", with_accuracy=0, symbol=r"$\mathrm{ECE}$")
