"""From every site's scores to the network's values, whatever the measures are."""

from collections.abc import Sequence

from icc_cli.errors import FormatError
from icc_cli.measures.column import Column
from icc_cli.measures.declare import Measure
from icc_cli.measures.groups import ClassGroup
from icc_cli.measures.options import Options
from icc_cli.measures.result import Result, SiteValues
from icc_cli.measures.scores import NO_VALUE, SiteScores
from icc_cli.measures.site import Array


class Tally:
    """What is kept of the sites seen so far, for every measure."""

    def __init__(self, measures: Sequence[Measure], classes: Sequence[ClassGroup], options: Options) -> None:
        self._options = options
        self._classes = classes
        self._columns = [Column(measure) for measure in measures]
        self._sites: list[SiteScores] = []

    def add(self, site: SiteScores) -> None:
        keep = None if self._options.all_k else self._options.neurons
        for column in self._columns:
            if column.measure.name in site.scores:
                column.add(site.scores[column.measure.name], keep, self._options.site_k)
        self._sites.append(SiteScores(site.name, site.neurons, site.dead, {}))

    def add_whole(self, name: str, scores: Array | str) -> None:
        """What a measure over the head or the network gave."""
        next(column for column in self._columns if column.measure.name == name).network = scores

    def result(self) -> Result:
        """The network's values. FormatError when there was no site."""
        if not self._sites:
            raise FormatError("there is no site to measure.")
        options = self._options
        return Result(
            {column.measure.name: column.value(options) for column in self._columns},
            (*self._absent_notes(), *self._group_notes(), *self._site_notes(), *self._k_notes()),
            {"classes": len(self._classes), "subclasses": sum(len(group.subclasses) for group in self._classes)},
            self._per_site() if options.per_site else None,
            {c.measure.name: c.every_k() for c in self._columns if "k" in c.measure.settings}
            if options.all_k
            else None,
        )

    def _per_site(self) -> tuple[SiteValues, ...]:
        return tuple(
            SiteValues(
                site.name, site.neurons, site.dead, {c.measure.name: c.values[i] for c in self._columns if c.values}
            )
            for i, site in enumerate(self._sites)
        )

    def _absent_notes(self) -> list[str]:
        """Why measures have no value at all, one sentence for those of one reason."""
        said: dict[str, list[str]] = {}
        for column in self._columns:
            reason = column.reason()
            if reason is None and column.measure.reduce is not None and column.value(self._options) is None:
                reason = "its sites give no value"
            if reason not in (None, NO_VALUE) or (reason and column.measure.whole):
                said.setdefault(str(reason), []).append(column.measure.name)
        return [f"{', '.join(names)}: {reason}." for reason, names in said.items()]

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
            if column.measure.whole or column.reason() not in (None, NO_VALUE):
                continue
            for site in (self._sites[place] for place in column.absent):
                reason = "no live neuron" if site.dead == site.neurons else "no value"
                notes.append(f"{column.measure.name}: site {site.name} has {reason} and is left out.")
        return notes

    def _k_notes(self) -> list[str]:
        neurons = sum(site.neurons for site in self._sites)
        ranked = [c.measure.name for c in self._columns if "k" in c.measure.settings and c.best is not None]
        notes = []
        if self._options.neurons > neurons and ranked:
            notes.append(f"{', '.join(ranked)}: k is {self._options.k}, and all {neurons} neurons are taken.")
        for column in self._columns:
            name, count = column.measure.name, len(column.sites)
            if column.measure.over == "sites" and column.measure.reduce is None and self._options.layer_k > count > 0:
                notes.append(f"{name}: layer-k is {self._options.layer_k}, and all {count} sites are taken.")
        return notes
