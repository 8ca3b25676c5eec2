"""Which neurons to show, for which class or subclass: those that the measures score highest, or those named."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from icc_cli.cache import Cache, StoredSite
from icc_cli.errors import UsageError
from icc_cli.measures.groups import ClassGroup, class_groups
from icc_cli.measures.neuron_variance import class_variance
from icc_cli.measures.selectivity import subclass_selectivity
from icc_cli.measures.site import row_blocks
from icc_cli.measures.view import SiteView

IMAGES = 9
Kind = Literal["c3", "c1"]
Column = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """The samples that a neuron tells apart from others, as rows of a cache: a class in the data set (c3), or a
    subclass in its class (c1). `label` and `sublabel` are the numbers of the data set."""

    kind: Kind
    inside: slice
    around: slice
    label: int
    sublabel: int | None

    @property
    def outside(self) -> list[slice]:
        """Where the samples lie that it is compared with: all for a class, the rest of the class for a subclass."""
        if self.kind == "c3":
            return [self.around]
        return [slice(self.around.start, self.inside.start), slice(self.inside.stop, self.around.stop)]


@dataclass(frozen=True)
class Chosen:
    """A neuron (the site's name, the column) and the group that it is shown for."""

    site: str
    neuron: int
    group: Group


@dataclass(frozen=True)
class Shown:
    """A chosen neuron in one cache: its score, its pre-activations (N,), and the rows with the largest ones."""

    chosen: Chosen
    score: float
    values: Column

    @property
    def inside(self) -> Column:
        return self.values[self.chosen.group.inside]

    @property
    def outside(self) -> Column:
        return np.concatenate([self.values[rows] for rows in self.chosen.group.outside])

    @property
    def strongest(self) -> NDArray[np.intp]:
        """The rows of the IMAGES largest pre-activations, largest first."""
        return np.argsort(-self.values, kind="stable")[:IMAGES]


def groups_of(cache: Cache, labels: Sequence[str] | None = None) -> list[Group]:
    """The classes and subclasses of a cache, or those of the given names or numbers (UsageError for an unknown one).

    Without subclasses, or for a class of one, there is the class alone.
    """
    classes = class_groups(cache.labels, cache.sublabels)
    everything = slice(0, len(cache.labels))
    found = [Group("c3", group.rows, everything, group.label, None) for group in classes]
    found += [
        Group("c1", rows, group.rows, group.label, _sublabel(cache, rows))
        for group in classes
        if len(group.subclasses) > 1
        for rows in group.subclasses
    ]
    if labels is None:
        return found
    kept = [group for group in found if {name_of(cache, group), str(_number(group))} & set(labels)]
    known = {word for group in found for word in (name_of(cache, group), str(_number(group)))}
    for text in labels:
        if text not in known:
            names = list(dict.fromkeys(name_of(cache, group) for group in found))
            raise UsageError(
                f"{cache.path} has no class or subclass {text!r}.", f"There are {', '.join(names[:8])}, ... ."
            )
    return kept


def name_of(cache: Cache, group: Group) -> str:
    """The name of the class or subclass where the cache has it, or `class 3`."""
    number = _number(group)
    names = cache.metadata.get("label_names" if group.sublabel is None else "sublabel_names", [])
    kind = "class" if group.sublabel is None else "subclass"
    return names[number] if number < len(names) else f"{kind} {number}"


def most_selective(cache: Cache, groups: Sequence[Group], count: int) -> list[Chosen]:
    """The neurons with the highest scores: `count` for classes (c3), and as many for subclasses (c1).

    Each neuron and each group is taken once.
    """
    scored: list[tuple[float, Chosen]] = []
    for site in cache.sites:
        scores = _scores(site, cache)
        for group in groups:
            row = scores[group.kind, group.inside.start, group.inside.stop]
            scored += [(float(row[i]), Chosen(site.name, int(i), group)) for i in np.argsort(-row)[:count]]
    scored.sort(key=lambda item: -item[0])
    best: list[Chosen] = []
    for kind in ("c3", "c1"):
        taken: list[Chosen] = []
        for _, one in scored:
            fresh = all((one.site, one.neuron) != (t.site, t.neuron) and one.group != t.group for t in taken)
            if one.group.kind == kind and fresh and len(taken) < count:
                taken.append(one)
        best += taken
    return best


def best_groups(cache: Cache, site: str, neuron: int, groups: Sequence[Group]) -> list[Chosen]:
    """The class and the subclass among `groups` that a named neuron scores highest for."""
    place = _site(cache, site)
    if not 0 <= neuron < place.shape[1]:
        raise UsageError(f"site {site} of {cache.path} has {place.shape[1]} neurons, and no number {neuron}.")
    scores = _scores(place, cache)
    found = []
    for kind in ("c3", "c1"):
        some = [group for group in groups if group.kind == kind]
        if some:
            best = max(some, key=lambda group: scores[kind, group.inside.start, group.inside.stop][neuron])
            found.append(Chosen(site, neuron, best))
    return found


def shown(cache: Cache, chosen: Sequence[Chosen]) -> list[Shown]:
    """Each chosen neuron as it is in `cache`. UsageError when the cache has no such site, neuron or samples."""
    found = []
    by_site: dict[str, dict[tuple[str, int, int], Column]] = {}
    for one in chosen:
        site = _site(cache, one.site)
        if one.neuron >= site.shape[1] or one.group.inside.stop > len(cache.labels):
            raise UsageError(
                f"{cache.path} is of another network or other data than the last cache.",
                "Give caches of one network along its training.",
            )
        if one.site not in by_site:
            by_site[one.site] = _scores(site, cache)
        score = by_site[one.site][one.group.kind, one.group.inside.start, one.group.inside.stop][one.neuron]
        values = np.concatenate([block[:, one.neuron] for block in row_blocks(site, slice(0, len(cache.labels)))])
        found.append(Shown(one, float(score), values))
    return found


def sheet_rows(neurons: Sequence[Shown]) -> dict[tuple[str, str, int], NDArray[np.intp]]:
    """The rows of the cache that a contact sheet shows, by (measure, site, neuron)."""
    return {(one.chosen.group.kind, one.chosen.site, one.chosen.neuron): one.strongest for one in neurons}


def _scores(site: StoredSite, cache: Cache) -> dict[tuple[str, int, int], Column]:
    """(n,) scores of every group of the cache, by kind and rows."""
    classes: list[ClassGroup] = class_groups(cache.labels, cache.sublabels)
    view = SiteView(site, classes)
    scores: dict[tuple[str, int, int], Column] = {
        ("c3", group.rows.start, group.rows.stop): row for group, row in zip(classes, class_variance(view), strict=True)
    }
    slices = [rows for group in classes for rows in group.subclasses]
    for rows, row in zip(slices, subclass_selectivity(view) if slices else (), strict=True):
        if not np.isnan(row).all():
            scores["c1", rows.start, rows.stop] = row
    return scores


def _site(cache: Cache, name: str) -> StoredSite:
    for site in cache.sites:
        if site.name == name:
            return site
    names = ", ".join(site.name for site in cache.sites[:8])
    raise UsageError(
        f"{cache.path} has no site {name!r}.", f"There are {names}{', ...' if len(cache.sites) > 8 else ''}."
    )


def _number(group: Group) -> int:
    return group.label if group.sublabel is None else group.sublabel


def _sublabel(cache: Cache, rows: slice) -> int:
    assert cache.sublabels is not None
    return int(cache.sublabels[rows.start])
