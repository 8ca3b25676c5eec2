"""What the scores over all pairs of models share: a row for each measure, from the models that have it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from icc_cli.ranking.resampling import Bootstrap, interval, multiplicities
from icc_cli.ranking.rows import Row
from icc_cli.ranking.study import Study, directed
from icc_cli.ranking.table import SEED, ModelTable
from icc_cli.ranking.values import Floats, Indices, codes


@dataclass(frozen=True)
class OneMeasure:
    """The models that have a measure: (M,) values times its direction, the target, the hyperparameters' codes by
    name (those that vary in the study, the seed apart), and how often each resample holds each model, (B, M)."""

    name: str
    table: ModelTable
    values: Floats
    target: Floats
    levels: dict[str, Indices]
    drawn: Floats | None


def rows(
    study: Study,
    name: str,
    bootstrap: Bootstrap | None,
    compute: Callable[[OneMeasure], Row],
    table: ModelTable | None = None,
) -> list[Row]:
    """A row for each measure and control, with what `compute` says of it, from `table` or the study's own."""
    table = table or study.table
    levels = {key: codes(cells) for key, cells in table.hparams.items() if key != SEED}
    levels = {key: code for key, code in levels.items() if code.max(initial=0) > 0}
    found = []
    for measures, control in ((study.measures, False), (study.controls, True)):
        values = directed(table, measures)
        for k, (measure, one) in enumerate(measures.items()):
            known = ~(values[:, k] != values[:, k])
            models = int(known.sum())
            drawn = multiplicities(models, bootstrap) if bootstrap and models else None
            inside: Mapping[str, Indices] = {key: code[known] for key, code in levels.items()}
            kept = table.take(known)
            subject = OneMeasure(measure, kept, values[known, k], kept.column(study.target), dict(inside), drawn)
            row: Row = {"measure": measure}
            row |= {"control": True} if control else {}
            row |= {"direction": one.direction} | ({"sign": one.sign} if one.sign else {})
            found.append(row | {"models": models, "score": name} | compute(subject))
    return found


def bounded(score: float | None, resampled: Floats, models: int, bootstrap: Bootstrap) -> list[float] | None:
    """The interval of a score in [0, 1] from its resamples."""
    return interval(score, resampled, models, bootstrap.confidence)


def resampled_note(bootstrap: Bootstrap | None) -> tuple[str, ...]:
    """How the intervals came to be."""
    if bootstrap is None:
        return ()
    return (
        f"intervals: {bootstrap.confidence:.4g} confidence, the standard error over {bootstrap.resamples} "
        f"resamples of the models, random seed {bootstrap.seed}.",
    )
