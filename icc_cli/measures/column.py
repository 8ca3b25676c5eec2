"""What is kept of one measure while the sites go by, and the network's value of it."""

import math
from dataclasses import dataclass, field

import numpy as np

from icc_cli.measures.declare import Measure
from icc_cli.measures.options import Options
from icc_cli.measures.scores import NO_VALUE
from icc_cli.measures.site import Array
from icc_cli.measures.top import keep_top, median, top_mean, top_means


@dataclass
class Column:
    """What is kept of one measure: the best neurons' scores so far (g, at most k), or every site's (g,) scores."""

    measure: Measure
    neurons: list[Array] = field(default_factory=list)
    """Neurons' scores (g, m) that are `best` together."""
    sites: list[Array] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    """The measure's own value of each site, None where it has none."""
    absent: dict[int, str] = field(default_factory=dict)
    """Why it has none, by the number of the site."""
    network: Array | str | None = None
    """(g,) scores of the head or the network, or why there are none; None where the sites decide."""

    def add(self, scores: Array | str, keep: int | None, site_k: int) -> None:
        """Take one site's scores, keeping the best `keep` neurons (None: all)."""
        if isinstance(scores, str):
            self.absent[len(self.values)] = scores
            self.values.append(None)
        elif self.measure.over == "neurons":
            every = self.measure.take == "all"
            if self.measure.reduce is None:
                together = every or keep is None
                self.neurons = [*self.neurons, scores] if together else [keep_top(self.best, scores, keep)]
            self.values.append(self.average(top_mean(scores, scores.shape[1] if every else site_k)))
        else:
            if not self.measure.whole:
                self.sites.append(scores)
            self.values.append(self.average(scores))

    @property
    def best(self) -> Array | None:
        """The best neurons' scores so far (g, at most k); None where there is none."""
        if len(self.neurons) > 1:
            self.neurons = [np.concatenate(self.neurons, axis=1)]
        return self.neurons[0] if self.neurons else None

    def average(self, groups: Array) -> float | None:
        """The average over the groups that have a value."""
        defined = groups[~np.isnan(groups)]
        if len(defined) == 0:
            return None
        return float(median(defined) if self.measure.average == "median" else defined.mean())

    def value(self, options: Options) -> float | None:
        """The network's value."""
        if self.measure.whole:
            return None if self.network is None or isinstance(self.network, str) else self.average(self.network)
        if self.measure.reduce is not None:
            value = self.measure.reduce([math.nan if one is None else one for one in self.values])
            return None if value is None or math.isnan(value) else float(value)
        if self.measure.over == "neurons":
            if (best := self.best) is None:
                return None
            return self.average(top_mean(best, best.shape[1] if self.measure.take == "all" else options.neurons))
        return self.average(top_mean(np.stack(self.sites, axis=1), options.layer_k)) if self.sites else None

    def reason(self) -> str | None:
        """Why the network has no value, where it is one reason; None when it has one, or the sites differ."""
        if self.measure.whole:
            if isinstance(self.network, str):
                return self.network
            return NO_VALUE if self.network is not None and self.average(self.network) is None else None
        reasons = set(self.absent.values())
        return reasons.pop() if len(self.absent) == len(self.values) and len(reasons) == 1 else None

    def every_k(self) -> Array | None:
        """(n,) the value for every k from 1; None where it is not defined."""
        if (best := self.best) is None:
            return None
        curves = top_means(best[~np.isnan(best).all(axis=1)])
        if len(curves) == 0:
            return None
        curve: Array = median(curves) if self.measure.average == "median" else curves.mean(axis=0)
        return curve

    def undefined(self) -> list[int]:
        """The groups that have no value anywhere."""
        best = self.best
        rows = [np.isnan(one) for one in self.sites] if best is None else [np.isnan(best).all(axis=1)]
        if isinstance(self.network, np.ndarray):
            rows = [np.isnan(self.network)]
        return np.flatnonzero(np.logical_and.reduce(rows)).tolist() if rows else []
