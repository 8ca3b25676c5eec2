"""Results as rows of plain data: what JSON holds, and what tables are made from."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from icc_cli.ranking.directions import Expected
from icc_cli.ranking.granulated import Granulated
from icc_cli.ranking.leads import Leads
from icc_cli.ranking.uncertainty import Question, Spread, holm
from icc_cli.ranking.values import Floats
from icc_cli.shapes import JsonObject

Row = JsonObject


def granulated_rows(
    result: Granulated,
    measures: Mapping[str, Expected],
    axes: Sequence[str],
    question: Question | None = None,
    confidence: float = 0.95,
) -> list[Row]:
    """One row for each measure: direction, models, each axis' psi, groups, pairs and ties, Psi and tau.

    With a question, `interval` stands beside psi, within the grid, and `Psi_interval`, p and Holm's p, of the
    question that `interval` names, beside Psi. What is not defined is None.
    """
    sure = _answers(result.spread, question, confidence) if question and result.spread else None
    rows = []
    for k, (measure, one) in enumerate(measures.items()):
        row: Row = {"measure": measure, "direction": one.direction}
        if one.sign:
            row["sign"] = one.sign
        row |= {"models": int(result.models[k]), "axes": {}}
        for i, axis in enumerate(axes):
            value: Row = {"psi": defined(result.psi[i, k])}
            if sure:
                value["interval"] = bounds(sure[0][i, :, k])
            counts = {"groups": result.groups, "pairs": result.pairs, "ties": result.ties}
            row["axes"][axis] = value | {name: int(count[i, k]) for name, count in counts.items()}
        row["Psi"] = defined(result.total[k])
        row |= sure[1][k] if sure else {}
        row["tau"] = defined(result.tau[k])
        rows.append(row)
    return rows


def lead_rows(
    found: Leads, measures: Sequence[str], versus: str, axes: Sequence[str], question: Question, confidence: float
) -> list[Row]:
    """One row for each measure: by how much its psi and Psi exceed those of `versus` on the models that both have."""
    intervals, totals = _answers(found.spread, question, confidence)
    rows = []
    for k, measure in enumerate(measures):
        row: Row = {"measure": measure, "versus": versus, "models": int(found.models[k]), "axes": {}}
        for i, axis in enumerate(axes):
            interval = bounds(intervals[i, :, k])
            if found.same[k] and interval:
                interval = [0.0, 0.0]
            difference = {"difference": defined(found.spread.psi[i, k]), "interval": interval}
            row["axes"][axis] = difference | {"clusters": int(found.spread.clusters[i, k])}
        row["Psi"] = defined(found.spread.total[k])
        row |= totals[k]
        if found.same[k] and row["Psi_interval"]:
            row |= {"Psi_interval": [0.0, 0.0], "p": 1.0, "p_holm": 1.0}
        rows.append(row)
    return rows


def _answers(spread: Spread, question: Question, confidence: float) -> tuple[Floats, list[Row]]:
    """The (A, 2, K) intervals of the axes, and for each value its total's interval, the question, p and Holm's p."""
    both, p = spread.answer(question, confidence)
    adjusted = holm(p)
    totals = [
        {
            "Psi_interval": bounds(both[:, k]),
            "interval": question,
            "p": defined(p[k]),
            "p_holm": defined(adjusted[k]),
        }
        for k in range(len(p))
    ]
    return spread.axis_intervals(confidence), totals


def defined(value: Any) -> float | None:
    """A float, or None for NaN."""
    return None if math.isnan(value) else float(value)


def bounds(pair: Floats) -> list[float] | None:
    """[low, high], or None when there is no interval."""
    return None if np.isnan(pair).any() else [float(pair[0]), float(pair[1])]
