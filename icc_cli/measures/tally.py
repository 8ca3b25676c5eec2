"""From every site's scores to the network's values, whatever the measures are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from icc_cli.errors import FormatError, UsageError
from icc_cli.measures.declare import Measure
from icc_cli.measures.groups import ClassGroup
from icc_cli.measures.options import Options
from icc_cli.measures.result import Result, SiteValues
from icc_cli.measures.site import Array
from icc_cli.measures.top import UNSCORED, keep_top, top_mean, top_means
from icc_cli.measures.view import SiteView


@dataclass(frozen=True)
class SiteScores:
    """One site's scores by the measure's name: (g, n) over neurons, (g,) over sites, None where it has none."""

    name: str
    neurons: int
    dead: int
    scores: dict[str, Array | None]


def site_scores(view: SiteView, measures: Sequence[Measure]) -> SiteScores:
    """What each measure gives for one site. FormatError for NaN or infinity, UsageError for a measure that fails."""
    dead = int(view.dead.sum())  # looks at every number, so that no measure meets NaN
    return SiteScores(view.name, view.shape[1], dead, {one.name: _scores(one, view) for one in measures})


def _scores(measure: Measure, view: SiteView) -> Array | None:
    try:
        found = measure.scores(view)
        scores = None if found is None else np.asarray(found, dtype=np.float64)
    except (FormatError, MemoryError):
        raise
    except Exception as error:
        # Whatever a stranger's measure raises, the user has to hear which one and where.
        raise UsageError(
            f"the measure {measure.name} failed at site {view.name}: {type(error).__name__}: {error}.",
            "--debug shows where.",
        ) from error
    if scores is None:
        return None
    groups = {
        "none": 1,
        "classes": len(view.classes),
        "subclasses": sum(len(group.subclasses) for group in view.classes),
    }[measure.groups]
    shape = (groups, view.shape[1]) if measure.over == "neurons" else (groups,)
    if measure.groups == "none" and scores.shape == shape[1:]:
        scores = scores[None]
    if scores.shape != shape:
        raise UsageError(
            f"the measure {measure.name} gave an array of shape {scores.shape} at site {view.name}, expected {shape}.",
            f"It is declared over {measure.over}, with groups {measure.groups!r}.",
        )
    if measure.over == "neurons":
        # A neuron without a score is never among the best; a group without any is left out.
        unscored = np.isnan(scores)
        unscored &= ~unscored.all(axis=1, keepdims=True)
        if unscored.any():
            scores = np.where(unscored, UNSCORED, scores)
    return scores


@dataclass
class Column:
    """What is kept of one measure: the best neurons' scores so far (g, at most k), or every site's (g,) scores."""

    measure: Measure
    best: Array | None = None
    sites: list[Array] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    """The measure's own value of each site, None where it has none."""
    absent: list[int] = field(default_factory=list)
    """The numbers of the sites for which it gave None."""

    def add(self, scores: Array | None, keep: int | None, site_k: int) -> None:
        if scores is None:
            self.absent.append(len(self.values))
            self.values.append(None)
        elif self.measure.over == "neurons":
            if self.measure.reduce is None:
                self.best = keep_top(self.best, scores, keep)
            self.values.append(self.average(top_mean(scores, site_k)))
        else:
            self.sites.append(scores)
            self.values.append(self.average(scores))

    def average(self, groups: Array) -> float | None:
        """The average over the groups that have a value."""
        defined = groups[~np.isnan(groups)]
        if len(defined) == 0:
            return None
        return float(np.median(defined) if self.measure.average == "median" else defined.mean())

    def value(self, options: Options) -> float | None:
        if self.measure.reduce is not None:
            value = self.measure.reduce([math.nan if one is None else one for one in self.values])
            return None if value is None or math.isnan(value) else float(value)
        if self.measure.over == "neurons":
            return None if self.best is None else self.average(top_mean(self.best, options.k))
        return self.average(top_mean(np.stack(self.sites, axis=1), options.layer_k)) if self.sites else None

    def every_k(self) -> Array | None:
        """(n,) the value for every k from 1; None where it is not defined."""
        if self.best is None:
            return None
        curves = top_means(self.best[~np.isnan(self.best).all(axis=1)])
        if len(curves) == 0:
            return None
        curve: Array = np.median(curves, axis=0) if self.measure.average == "median" else curves.mean(axis=0)
        return curve

    def undefined(self) -> list[int]:
        """The groups that have no value at any site."""
        rows = [np.isnan(self.best).all(axis=1)] if self.best is not None else [np.isnan(one) for one in self.sites]
        return np.flatnonzero(np.logical_and.reduce(rows)).tolist() if rows else []


class Tally:
    """What is kept of the sites seen so far, for every measure."""

    def __init__(self, measures: Sequence[Measure], classes: Sequence[ClassGroup], options: Options) -> None:
        self._options = options
        self._classes = classes
        self._columns = [Column(measure) for measure in measures]
        self._sites: list[SiteScores] = []

    def add(self, site: SiteScores) -> None:
        keep = None if self._options.all_k else self._options.k
        for column in self._columns:
            column.add(site.scores[column.measure.name], keep, self._options.site_k)
        self._sites.append(SiteScores(site.name, site.neurons, site.dead, {}))

    def result(self) -> Result:
        """The network's values. FormatError when there was no site."""
        if not self._sites:
            raise FormatError("there is no site to measure.")
        options = self._options
        return Result(
            {column.measure.name: column.value(options) for column in self._columns},
            (*self._group_notes(), *self._site_notes(), *self._k_notes()),
            {"classes": len(self._classes), "subclasses": sum(len(group.subclasses) for group in self._classes)},
            self._per_site() if options.per_site else None,
            {c.measure.name: c.every_k() for c in self._columns if "k" in c.measure.settings}
            if options.all_k
            else None,
        )

    def _per_site(self) -> tuple[SiteValues, ...]:
        return tuple(
            SiteValues(
                site.name, site.neurons, site.dead, {column.measure.name: column.values[i] for column in self._columns}
            )
            for i, site in enumerate(self._sites)
        )

    def _group_notes(self) -> list[str]:
        """Which classes a measure leaves out, one sentence for the measures that leave out the same."""
        said: dict[str, list[str]] = {}
        for column in self._columns:
            for reason in self._left_out(column):
                said.setdefault(reason, []).append(column.measure.name)
        return [f"{', '.join(names)}: {reason}" for reason, names in said.items()]

    def _left_out(self, column: Column) -> list[str]:
        labels: dict[str, list[str]] = {}
        if column.measure.groups == "subclasses":
            whose = [group for group in self._classes for _ in group.subclasses]
        else:
            whose = list(self._classes)
        for place in column.undefined() if column.measure.groups != "none" else ():
            group = whose[place]
            if column.measure.groups == "subclasses" and len(group.subclasses) < 2:
                reason = "having one subclass"
            else:
                reason = "having fewer than two samples" if group.size < 2 else "having no value"
            labels.setdefault(reason, []).append(str(group.label))
        return [f"left out, {reason}: class {', '.join(dict.fromkeys(which))}." for reason, which in labels.items()]

    def _site_notes(self) -> list[str]:
        notes = []
        for column in self._columns:
            for site in (self._sites[place] for place in column.absent):
                reason = "no live neuron" if site.dead == site.neurons else "no value"
                notes.append(f"{column.measure.name}: site {site.name} has {reason} and is left out.")
        return notes

    def _k_notes(self) -> list[str]:
        neurons = sum(site.neurons for site in self._sites)
        ranked = [c.measure.name for c in self._columns if c.measure.over == "neurons" and c.measure.reduce is None]
        notes = []
        if self._options.k > neurons and ranked:
            notes.append(f"{', '.join(ranked)}: k is {self._options.k}, and all {neurons} neurons are taken.")
        for column in self._columns:
            name, count = column.measure.name, len(column.sites)
            if column.measure.reduce is None and self._options.layer_k > count > 0:
                notes.append(f"{name}: layer-k is {self._options.layer_k}, and all {count} sites are taken.")
        return notes
