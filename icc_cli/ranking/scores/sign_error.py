"""The robust sign error of Dziugaite et al., over environments of several seeds."""

from dataclasses import dataclass, replace

import numpy as np

from icc_cli.errors import UsageError
from icc_cli.ranking.groups import axes_of
from icc_cli.ranking.resampling import bootstrap_of
from icc_cli.ranking.result import Part
from icc_cli.ranking.rows import Row
from icc_cli.ranking.scores.by_measure import OneMeasure, bounded, resampled_note, rows
from icc_cli.ranking.sign_error import sign_error
from icc_cli.ranking.study import Study
from icc_cli.ranking.table import SEED


@dataclass(frozen=True)
class Options:
    """`test_samples` are those behind the target; they weigh the pairs."""

    test_samples: int = 10_000
    bootstrap: int = 0
    confidence: float = 0.95
    random_seed: int = 0


def score(study: Study, options: Options) -> Part:
    """A row for each measure: mean, 90th percentile and maximum of the error over the environments. Replicates are
    not averaged: an environment is made of them."""
    goal = study.runs.column(study.target)
    if np.abs(goal).max() > 1:
        raise UsageError(
            f"the sign error weighs differences of an accuracy, and {study.target} has values to {goal.max():g}.",
            "Take an accuracy, an error or a gap as the target.",
        )
    bootstrap = bootstrap_of(options.bootstrap, options.confidence, options.random_seed)
    dropped: dict[str, int] = {}

    def row(one: OneMeasure) -> Row:
        pooled = {name: cells for name, cells in one.table.hparams.items() if name != SEED}
        axes = axes_of(replace(one.table, hparams=pooled))
        error = sign_error(one.values, one.target, axes, one.levels, options.test_samples, drawn=one.drawn)
        cells: Row = {"environments": error.environments, "dropped": error.dropped, "mean": error.mean}
        if bootstrap:
            values = np.zeros(0) if error.resampled is None else error.resampled
            cells["mean_interval"] = bounded(error.mean, values, len(one.values), bootstrap)
        cells |= {"p90": error.p90, "max": error.max}
        cells["axes"] = {name: {"mean": mean, "environments": count} for name, (mean, count) in error.axes.items()}
        if not error.environments:
            dropped[one.name] = error.dropped
        return cells

    found = rows(study, "sign-error", bootstrap, row, study.runs)
    notes = [
        f"{name}: each of the {count} environments has an effective sample size under 12; "
        "the sign error needs four or more seeds of each configuration."
        for name, count in dropped.items()
        if name in study.measures
    ]
    title = f"Robust sign error (Dziugaite et al. 2020) with {study.target}"
    return Part(study.name, tuple(found), title, (*study.notes, *notes, *resampled_note(bootstrap)))
