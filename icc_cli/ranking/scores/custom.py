"""A score of the user's own: `--score file.py:function`.

The function takes a measure's (M,) values times its direction, the target's (M,) values, and by hyperparameter the
(M,) integer codes of the models' values; it returns one number. Models without the measure are left out before.
"""

import math
from dataclasses import dataclass

from icc_cli.errors import IccError, UsageError
from icc_cli.loading import Named, named, reason
from icc_cli.ranking.result import Part
from icc_cli.ranking.scores.by_measure import OneMeasure, rows
from icc_cli.ranking.study import Study


@dataclass(frozen=True)
class Options:
    """`function` names it."""

    function: str


def score(study: Study, options: Options) -> Part:
    """A row for each measure with what the function says of it; None for a number that is not finite."""
    found = named(options.function, "score")
    return Part(
        study.name,
        tuple(rows(study, options.function, None, lambda one: {"value": _value(found, one)})),
        f"{options.function} with {study.target}",
        (*study.notes, *study.merged),
    )


def _value(found: Named, one: OneMeasure) -> float | None:
    try:
        value = float(found.call(one.values.copy(), one.target.copy(), dict(one.levels)))
    except IccError:
        raise
    except Exception as error:
        raise UsageError(
            f"the score {found.text} fails on {one.name}: {reason(error)}.",
            "It takes the measure, the target and the hyperparameters' codes by name, and returns a number.",
        ) from error
    return value if math.isfinite(value) else None
