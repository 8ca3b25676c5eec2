"""The two scores by mutual information: rows that `cmi` and `pgdl` share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from icc_cli.ranking.information import Information, resampled
from icc_cli.ranking.resampling import bootstrap_of
from icc_cli.ranking.result import Part
from icc_cli.ranking.rows import Row
from icc_cli.ranking.scores.by_measure import OneMeasure, bounded, resampled_note, rows
from icc_cli.ranking.study import Study
from icc_cli.ranking.values import Floats, Indices

Compute = Callable[[Floats, Floats, dict[str, Indices]], Information]


@dataclass(frozen=True)
class Options:
    """`bootstrap` resamples of the models give an interval; 0 for none."""

    bootstrap: int = 0
    confidence: float = 0.95
    random_seed: int = 0


def score(study: Study, options: Options, name: str, compute: Compute, title: str) -> Part:
    """A row for each measure: the score, and the hyperparameters under which it is least."""
    bootstrap = bootstrap_of(options.bootstrap, options.confidence, options.random_seed)

    def row(one: OneMeasure) -> Row:
        found = compute(one.values, one.target, one.levels)
        cells: Row = {"value": found.score}
        if bootstrap:
            values = np.zeros(0)
            if one.drawn is not None and found.score is not None:
                values = resampled(one.values, one.target, one.levels, found.given, name, one.drawn)
            cells["value_interval"] = bounded(found.score, values, len(one.values), bootstrap)
        return cells | {"given": list(found.given)}

    found = rows(study, name, bootstrap, row)
    return Part(
        study.name,
        tuple(found),
        f"{title} with {study.target}",
        (*study.notes, *study.merged, *resampled_note(bootstrap)),
    )
