"""Controls: what any measure has to beat. They are counted at extraction, and are metrics of the cache too."""

import hashlib
from functools import partial
from statistics import NormalDist
from typing import TYPE_CHECKING

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure

if TYPE_CHECKING:
    from icc_cli.measures.whole import Network


def sites(network: "Network") -> float:
    """The number of sites."""
    return float(len(network.widths))


def neurons(network: "Network") -> float:
    """The number of neurons of all sites."""
    return float(sum(network.widths))


def random(network: "Network") -> float:
    """A standard normal number, the same for the same weights."""
    if not network.beside.identity:
        raise Absent("the weights have no name to draw it from")
    digest = int.from_bytes(hashlib.sha256(network.beside.identity.encode()).digest()[:6])
    return NormalDist().inv_cdf((digest + 0.5) / 2**48)


def train_loss(network: "Network") -> float:
    """Mean cross-entropy on the training images: as it was counted, or else from the logits."""
    try:
        return network.metric("train_loss")
    except Absent:
        from icc_cli.measures.outputs import cross_entropy  # which whoever asks for the declarations below can spare

        return cross_entropy(network)


def _metric(network: "Network", name: str) -> float:
    return network.metric(name)


def _counted(name: str) -> Measure:
    return Measure(name, partial(_metric, name=name), over="network", with_accuracy=0)


PARAMETERS = _counted("parameters")
SITES = Measure("sites", sites, over="network", with_accuracy=0)
NEURONS = Measure("neurons", neurons, over="network", with_accuracy=0)
WEIGHT_NORM = _counted("weight_norm")
PATH_NORM = _counted("path_norm")
TRAIN_LOSS = Measure("train_loss", train_loss, over="network", with_accuracy=-1)
RANDOM = Measure("random", random, over="network", with_accuracy=0)
