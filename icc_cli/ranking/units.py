"""Accuracies as fractions: per cents are converted, and said; a mixture is an error."""

import re
from collections.abc import Iterable

import numpy as np

from icc_cli.errors import FormatError
from icc_cli.ranking.directions import sense
from icc_cli.ranking.table import TEST, TRAIN, ModelTable

FRACTIONS_UP_TO = 1.5
WHOLE = 100.0
ACCURACY = re.compile(
    r"acc|f1|top[-_ ]?[15](?![0-9])|prec(?:ision)?(?:[^a-z]|$)|recall|auc|auroc|iou|dice|exact_?match"
    r"|(?:^|[^a-z])(?:hits?|em|map)(?:[^a-z]|$)",
    re.IGNORECASE,
)
PER_CENT = re.compile(r"%|percent|(?:^|[^a-z])pct(?:[^a-z]|$)", re.IGNORECASE)
DIFFERENCE = re.compile(r"err|gap", re.IGNORECASE)


def in_fractions(table: ModelTable, target: str) -> tuple[ModelTable, list[str]]:
    """The table with its accuracies, and a target that is an accuracy, an error or a gap, as fractions of one.

    A value over 1.5 says that a column holds per cents, or its name, as that of an error may be under 1.5 per cent.
    FormatError when an accuracy holds both.
    """
    told = []
    for name in dict.fromkeys((TRAIN, TEST, target)):
        if name not in table.columns:
            continue
        accuracy = bool(ACCURACY.search(name)) and not DIFFERENCE.search(name)
        if not accuracy and not DIFFERENCE.search(name):
            continue
        values = table.column(name)
        known = values[np.isfinite(values)]
        if not np.any(np.abs(known) > FRACTIONS_UP_TO) and (accuracy or not PER_CENT.search(name)):
            continue
        if accuracy and (known.min() < 0 or known.max() > WHOLE):
            span = f"{known.min():g} to {known.max():g}"
            told.append(f"{name} has values from {span}, neither fractions nor per cents: taken as they are.")
            continue
        if accuracy:
            _refuse_mixture(name, known)
        told.append(f"{name} is in per cent, to {known.max(initial=0):g}: taken as fractions of one.")
        table = table.with_column(name, values / WHOLE)
    return table, told


def refuse_mixtures(table: ModelTable, names: Iterable[str]) -> None:
    """FormatError when one of the columns is an accuracy by its name and mixes fractions and per cents."""
    for name in names:
        if name in table.columns and ACCURACY.search(name) and sense(name) > 0:
            values = table.column(name)
            known = values[np.isfinite(values)]
            if len(known) and known.min() >= 0 and FRACTIONS_UP_TO < known.max() <= WHOLE:
                _refuse_mixture(name, known)


def _refuse_mixture(name: str, known: "np.typing.NDArray[np.float64]") -> None:
    # 0 and 1 are of either unit: all, nothing, or one in a hundred.
    least, most = known[(known != 0) & (known != 1)].min(), known.max()
    if least <= FRACTIONS_UP_TO:
        raise FormatError(
            f"{name} mixes fractions and per cents: it has {least:g} and {most:g}.",
            "Write all of its values as fractions of one.",
        )
