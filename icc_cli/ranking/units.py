"""Accuracies as fractions: per cents are converted, and said; a mixture is an error."""

import re

import numpy as np

from icc_cli.errors import FormatError
from icc_cli.ranking.table import TEST, TRAIN, ModelTable

FRACTIONS_UP_TO = 1.5
WHOLE = 100.0
ACCURACY = re.compile(r"acc|f1|top_?[15]$|precision|recall", re.IGNORECASE)
DIFFERENCE = re.compile(r"err|gap", re.IGNORECASE)


def in_fractions(table: ModelTable, target: str) -> tuple[ModelTable, list[str]]:
    """The table with its accuracies, and a target that is an accuracy, an error or a gap, as fractions of one.

    A value over 1.5 says that a column holds per cents. FormatError when an accuracy holds both.
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
        if not np.any(np.abs(known) > FRACTIONS_UP_TO):
            continue
        if accuracy and (known.min() < 0 or known.max() > WHOLE):
            span = f"{known.min():g} to {known.max():g}"
            told.append(f"{name} has values from {span}, neither fractions nor per cents: taken as they are.")
            continue
        if accuracy:
            _refuse_mixture(name, known)
        told.append(f"{name} is in per cent, to {known.max():g}: taken as fractions of one.")
        table = table.with_column(name, values / WHOLE)
    return table, told


def _refuse_mixture(name: str, known: "np.typing.NDArray[np.float64]") -> None:
    # 0 and 1 are of either unit: all, nothing, or one in a hundred.
    least, most = known[(known != 0) & (known != 1)].min(), known.max()
    if least <= FRACTIONS_UP_TO:
        raise FormatError(
            f"{name} mixes fractions and per cents: it has {least:g} and {most:g}.",
            "Write all of its values as fractions of one.",
        )
