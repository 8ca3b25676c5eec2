"""All four measures of one network from its sites, one site in memory at a time for each thread."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icc_cli.errors import FormatError, UsageError
from tests.measures.old.groups import ClassGroup, class_groups
from tests.measures.old.site import Array, Site, resident
from tests.measures.old.site_scores import SiteScores, site_scores
from tests.measures.old.top import keep_top, top_mean, top_means

CONVENTIONS = ("paper", "reference")
WORTH_THREADS = 2**23
"""Pre-activations from which threads pay: with fewer, the interpreter's lock costs more than they save."""


@dataclass(frozen=True)
class Options:
    """What changes the numbers. `k` is for neurons over all sites, `layer_k` for sites, `site_k` for neurons
    within one site (used by `per_site`)."""

    k: int = 30
    layer_k: int = 1
    site_k: int = 5
    convention: str = "paper"
    per_site: bool = False
    all_k: bool = False

    def __post_init__(self) -> None:
        for name in ("k", "layer_k", "site_k"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.convention not in CONVENTIONS:
            raise UsageError(f"unknown convention {self.convention!r}.", f"Expected one of {', '.join(CONVENTIONS)}.")


@dataclass(frozen=True)
class Result:
    """c1 to c4 of one network; None where a measure is not defined, and a note that says why."""

    measures: dict[str, float | None]
    notes: list[str] = field(default_factory=list)
    groups: dict[str, int] = field(default_factory=dict)
    """How many classes and subclasses occur; 0 subclasses without a hierarchy."""
    per_site: list[dict[str, Any]] | None = None
    all_k: dict[str, Array | None] | None = None


def measure(
    sites: Iterable[Site],
    labels: NDArray[np.integer],
    sublabels: NDArray[np.integer] | None,
    options: Options | None = None,
    progress: Callable[[int], None] = lambda neurons: None,
    threads: int = 1,
) -> Result:
    """Compute c1 to c4 (equations 1 to 4) of one network.

    `labels` and `sublabels` (N,) go with the rows of every site and are ordered by class, then subclass.
    `progress` is called with the number of neurons of each site that is done. `threads` sites are computed at once,
    each in about 130 MB; BLAS should be held to one thread beside several.

    Raises FormatError when a site holds NaN or infinity, has no neurons, or has not N rows.
    """
    options = options or Options()
    classes = class_groups(labels, sublabels)
    sites = list(sites)
    if sum(len(labels) * site.shape[1] for site in sites) < WORTH_THREADS:
        threads = 1
    at_once = max(1, min(threads, len(sites)))

    def work(site: Site) -> SiteScores:
        if site.shape[0] != len(labels) or site.shape[1] < 1:
            raise FormatError(
                f"site {site.name} has shape {site.shape}, expected ({len(labels)}, n) with n at least 1."
            )
        return site_scores(resident(site), classes, options.convention, threads // at_once)

    tally = _Tally(options)
    pool = ThreadPoolExecutor(at_once)
    try:
        for scores in pool.map(work, sites):
            tally.add(scores)
            progress(scores.neurons)
    finally:
        pool.shutdown(cancel_futures=True)
    return tally.result(classes, sublabels is not None)


class _Tally:
    """What is kept of the sites seen so far: the best neurons' scores, and every site's own values."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.selectivity: Array | None = None
        self.variance: Array | None = None
        self.silhouettes: list[Array] = []
        self.spreads: list[dict[int, float]] = []
        self.neurons = 0
        self.sites: list[dict[str, Any]] = []
        self.notes: list[str] = []

    def add(self, site: SiteScores) -> None:
        keep = None if self.options.all_k else self.options.k
        self.selectivity = keep_top(self.selectivity, site.selectivity, keep)
        self.variance = keep_top(self.variance, site.variance, keep)
        self.silhouettes.append(site.silhouettes)
        self.neurons += site.neurons
        if site.spreads is None:
            self.notes.append(f"c4: site {site.name} has no live neuron and is left out.")
        else:
            self.spreads.append(site.spreads)
        self.sites.append(
            {
                "name": site.name,
                "neurons": site.neurons,
                "dead": site.dead,
                "c1": _median(top_mean(site.selectivity, self.options.site_k)),
                "c2": _median(site.silhouettes),
                "c3": float(top_mean(site.variance, self.options.site_k).mean()),
                "c4": float(np.mean(list(site.spreads.values()))) if site.spreads else None,
            }
        )

    def result(self, classes: list[ClassGroup], hierarchy: bool) -> Result:
        if self.selectivity is None or self.variance is None:
            raise FormatError("there is no site to measure.")
        k, layer_k = self.options.k, self.options.layer_k
        values = {
            "c1": _median(top_mean(self.selectivity, k)),
            "c2": _median(top_mean(np.stack(self.silhouettes, axis=1), layer_k)),
            "c3": float(top_mean(self.variance, k).mean()),
            "c4": self._c4(),
        }
        all_k: dict[str, Array | None] | None = None
        if self.options.all_k:
            selective = len(self.selectivity) > 0
            all_k = {
                "c1": np.median(top_means(self.selectivity), axis=0) if selective else None,
                "c3": top_means(self.variance).mean(axis=0),
            }
        notes = [*_group_notes(classes, hierarchy), *self.notes, *self._k_notes()]
        groups = {"classes": len(classes), "subclasses": sum(len(group.subclasses) for group in classes)}
        return Result(values, notes, groups, self.sites if self.options.per_site else None, all_k)

    def _c4(self) -> float | None:
        if not self.spreads or not self.spreads[0]:
            return None
        table = np.array([[spread[label] for spread in self.spreads] for label in self.spreads[0]])
        return float(top_mean(table, self.options.layer_k).mean())

    def _k_notes(self) -> list[str]:
        notes = []
        if self.options.k > self.neurons:
            notes.append(f"c1, c3: k is {self.options.k}, and all {self.neurons} neurons are taken.")
        for name, count in (("c2", len(self.silhouettes)), ("c4", len(self.spreads))):
            if self.options.layer_k > count > 0:
                notes.append(f"{name}: layer-k is {self.options.layer_k}, and all {count} sites are taken.")
        return notes


def _group_notes(classes: list[ClassGroup], hierarchy: bool) -> list[str]:
    if not hierarchy:
        return ["c1, c2: there are no subclasses.", *_small_class_notes(classes)]
    lone = [str(group.label) for group in classes if len(group.subclasses) < 2]
    notes = [f"c1, c2: left out, having one subclass: class {', '.join(lone)}."] if lone else []
    return notes + _small_class_notes(classes)


def _small_class_notes(classes: list[ClassGroup]) -> list[str]:
    small = [str(group.label) for group in classes if group.size < 2]
    return [f"c4: left out, having fewer than two samples: class {', '.join(small)}."] if small else []


def _median(values: Array) -> float | None:
    return float(np.median(values)) if len(values) else None
