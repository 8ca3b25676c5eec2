"""Results as rows of plain data: what JSON holds, and what tables are made from."""

import math
from collections.abc import Sequence
from typing import Any

from icc_cli.ranking.granulated import Granulated
from icc_cli.ranking.table import Floats

Row = dict[str, Any]


def granulated_rows(
    result: Granulated,
    measures: Sequence[str],
    directions: Sequence[int],
    axes: Sequence[str],
) -> list[Row]:
    """One row for each measure: direction, models, each axis' psi, groups, pairs and ties, Psi and tau.

    With a bootstrap, `interval` stands beside psi and `Psi_interval` beside Psi. What is not defined is None.
    """
    return [
        _row(result, k, measure, direction, axes)
        for k, (measure, direction) in enumerate(zip(measures, directions, strict=True))
    ]


def _row(result: Granulated, k: int, measure: str, direction: int, axes: Sequence[str]) -> Row:
    row: Row = {"measure": measure, "direction": direction, "models": int(result.models[k]), "axes": {}}
    for i, axis in enumerate(axes):
        value: Row = {"psi": defined(result.psi[i, k])}
        if result.intervals:
            value["interval"] = bounds(result.intervals.psi[i, :, k])
        value |= {
            "groups": int(result.groups[i, k]),
            "pairs": int(result.pairs[i, k]),
            "ties": int(result.ties[i, k]),
        }
        row["axes"][axis] = value
    row["Psi"] = defined(result.total[k])
    if result.intervals:
        row["Psi_interval"] = bounds(result.intervals.total[:, k])
    row["tau"] = defined(result.tau[k])
    return row


def versus_rows(result: Granulated, measures: Sequence[str], axes: Sequence[str], baseline: int) -> list[Row]:
    """One row for each other measure: by how much its psi and Psi exceed the baseline's, with intervals."""
    assert result.versus is not None
    rows = []
    for k, measure in enumerate(measures):
        if k == baseline:
            continue
        row: Row = {"measure": measure, "versus": measures[baseline], "axes": {}}
        for i, axis in enumerate(axes):
            row["axes"][axis] = {
                "difference": defined(result.psi[i, k] - result.psi[i, baseline]),
                "interval": bounds(result.versus.psi[i, :, k]),
            }
        row["Psi"] = defined(result.total[k] - result.total[baseline])
        row["Psi_interval"] = bounds(result.versus.total[:, k])
        rows.append(row)
    return rows


def defined(value: Any) -> float | None:
    """A float, or None for NaN."""
    return None if math.isnan(value) else float(value)


def bounds(pair: Floats) -> list[float] | None:
    """[low, high], or None when there is no interval."""
    return None if math.isnan(pair[0]) else [float(pair[0]), float(pair[1])]
