"""What the network answers on the training data: margin, confidence, calibration."""

import numpy as np

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.percentile import percentiles
from icc_cli.measures.site import ArraySite
from icc_cli.measures.whole import Network

PERCENTILE = 10
BINS = 15


def margin(network: Network) -> float:
    """10th percentile (linear interpolation) over the samples of z_y - max of the others, z the logits."""
    if network.logits.shape[1] < 2:
        raise Absent("the network has one output")
    margins = ArraySite("margins", network.answers.margins[:, None])
    return float(percentiles(margins, PERCENTILE)[0])


def confidence(network: Network) -> float:
    """Mean over the samples of the largest softmax, 1/K'..1."""
    return float(network.answers.confidences.mean())


def ece(network: Network) -> float:
    """Expected calibration error, 0..1 (Guo et al. 2017): sum over bins of share |accuracy - confidence|.

    15 bins of equal width over the largest softmax, each closed above: (0, 1/15], ..., (14/15, 1].
    """
    found, right = network.answers.confidences, network.answers.right
    bins = np.clip(np.ceil(found * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, right.astype(np.float64) - found, BINS)
    return float(np.abs(gaps).sum() / len(found))


def cross_entropy(network: Network) -> float:
    """Mean over the samples of -log softmax of the label's logit."""
    return float(network.answers.losses.mean())


MARGIN = Measure("margin", margin, over="network", with_accuracy=1)
CONFIDENCE = Measure("confidence", confidence, over="network", with_accuracy=0)
ECE = Measure("ece", ece, over="network", with_accuracy=0, symbol=r"$\mathrm{ECE}$")
