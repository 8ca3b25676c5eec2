"""What each measure gives for one site or for the whole network, held to the shape it is declared with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icc_cli.errors import FormatError, UsageError
from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.groups import ClassGroup
from icc_cli.measures.site import Array
from icc_cli.measures.top import UNSCORED
from icc_cli.measures.view import SiteView
from icc_cli.measures.whole import Network

NO_VALUE = "it has no value"


@dataclass(frozen=True)
class SiteScores:
    """One site's scores by the measure's name: (g, n) over neurons, (g,) otherwise; or why there are none."""

    name: str
    neurons: int
    dead: int
    scores: dict[str, Array | str]


def site_scores(view: SiteView, measures: Sequence[Measure]) -> SiteScores:
    """What each measure gives for one site. FormatError for NaN or infinity, UsageError for a measure that fails."""
    dead = int(view.dead.sum())  # looks at every number, so that no measure meets NaN
    scores = {}
    for one in measures:
        given = view.features if one.over == "head" else view
        scores[one.name] = _computed(one, given, view.classes, view.shape[1], f"site {view.name}")
    return SiteScores(view.name, view.shape[1], dead, scores)


def whole_scores(measure: Measure, network: Network) -> Array | str:
    """(g,) what a measure over the head or the network gives, or why there is nothing."""
    try:
        given = network.features if measure.over == "head" else network
    except Absent as absent:
        return absent.reason
    return _computed(measure, given, network.classes, len(network.labels), "the head")


def _computed(
    measure: Measure, given: SiteView | Network, classes: Sequence[ClassGroup], neurons: int, where: str
) -> Array | str:
    try:
        found = measure.scores(given)
        if found is None:
            return NO_VALUE
        scores: Array = np.asarray(found, dtype=np.float64)
    except Absent as absent:
        return absent.reason
    except (FormatError, MemoryError):
        raise
    except Exception as error:
        # Whatever a stranger's measure raises, the user has to hear which one and where.
        raise UsageError(
            f"the measure {measure.name} failed at {where}: {type(error).__name__}: {error}.", "--debug shows where."
        ) from error
    groups = {"none": 1, "classes": len(classes), "subclasses": sum(len(group.subclasses) for group in classes)}
    shape = (groups[measure.groups], neurons) if measure.over == "neurons" else (groups[measure.groups],)
    if measure.groups == "none" and scores.shape == shape[1:]:
        scores = scores[None]
    if scores.shape != shape:
        raise UsageError(
            f"the measure {measure.name} gave an array of shape {scores.shape} at {where}, expected {shape}.",
            f"It is declared over {measure.over}, with groups {measure.groups!r}.",
        )
    return _unscored(scores) if measure.over == "neurons" else scores


def _unscored(scores: Array) -> Array:
    """A neuron without a score is never among the best; a group without any is left out."""
    unscored = np.isnan(scores)
    unscored &= ~unscored.all(axis=1, keepdims=True)
    return np.where(unscored, UNSCORED, scores) if unscored.any() else scores
