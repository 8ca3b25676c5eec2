"""Figure 3: each measure against the target, a panel for each measure and set of models."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from icc_cli.plots.style import COLOURS, Drawing, Levels, Mark, Row, label, level_text, panels, rounded
from icc_cli.ranking.granulated import granulated
from icc_cli.ranking.rows import defined
from icc_cli.ranking.study import Study
from icc_cli.ranking.values import codes

COLUMNS = 4


def rows(study: Study, colour: str | None, name: str) -> list[Row]:
    """A row for each model and measure of the set `name`: the value, the target, the hyperparameter that colours it,
    and the measure's Psi and tau, as `icc rank` gives them (times the direction). A measure that no model has has no
    row; replicates are points of their own."""
    table = study.runs
    goal = table.column(study.target)
    result = granulated(study.values, study.goal, study.axes)
    found = []
    for k, (measure, one) in enumerate(study.measures.items()):
        for i, checkpoint in enumerate(table.names):
            value = float(table.column(measure)[i])
            if math.isnan(value):
                continue
            found.append(
                {
                    "set": name,
                    "measure": measure,
                    "checkpoint": checkpoint,
                    "value": value,
                    "target": study.target,
                    "goal": float(goal[i]),
                    "colour": colour,
                    "level": table.hparams[colour][i] if colour else None,
                    "direction": one.direction,
                    "Psi": defined(result.total[k]),
                    "tau": defined(result.tau[k]),
                }
            )
    return found


def telling(study: Study) -> str | None:
    """The hyperparameter whose levels' means explain most of the target's variance; None when none varies."""
    table = study.table
    best, most = None, -1.0
    for axis in study.axes:
        code = codes(table.hparams[axis.name])
        count = np.bincount(code)
        means = np.bincount(code, study.goal) / count
        between = float(count @ (means - study.goal.mean()) ** 2)
        # One level a model explains everything and tells nothing.
        if between > most and len(count) <= max(2, len(table) // 2):
            best, most = axis.name, between
    return best


def draw(found: Sequence[Row]) -> Drawing:
    """Draw `rows`, those of several sets one set below the other."""
    names = list(dict.fromkeys((row["set"], row["measure"]) for row in found))
    sets = list(dict.fromkeys(name for name, _ in names))
    lines: list[tuple[str, list[str]]] = []
    for one in sets:
        measures = [measure for name, measure in names if name == one]
        lines += [(one, measures[i : i + COLUMNS]) for i in range(0, len(measures), COLUMNS)]
    columns = max(len(measures) for _, measures in lines)
    coloured = found[0]["colour"]
    levels = Levels.of(coloured, [row["level"] for row in found]) if coloured else None
    with panels(len(lines), columns, 1.75, sharey="row") as (figure, grid):
        drawing = Drawing(figure)
        for place, (one, measures) in enumerate(lines):
            for axes in grid[place][len(measures) :]:
                axes.set_visible(False)
            for axes, measure in zip(grid[place], measures, strict=False):
                shown = [row for row in found if (row["set"], row["measure"]) == (one, measure)]
                _panel(axes, shown, levels, drawing)
            grid[place][0].set_ylabel(f"{one}\n{label(found[0]['target'])}" if one else label(found[0]["target"]))
        if levels:
            levels.key(figure, grid.ravel().tolist())
    return drawing


def _panel(axes: Any, shown: list[Row], levels: Levels | None, drawing: Drawing) -> None:
    first = shown[0]
    many = len(shown)
    size, alpha = (16, 0.85) if many <= 60 else (9, 0.7) if many <= 250 else (5, 0.6)
    for value in levels.values if levels else (None,):
        part = [row for row in shown if not levels or row["level"] == value]
        axes.scatter(
            [row["value"] for row in part],
            [row["goal"] for row in part],
            s=size,
            alpha=alpha,
            linewidths=0,
            color=levels.colour(value) if levels else COLOURS[0],
            marker=levels.marker(value) if levels else "o",
        )
    sign = " (smaller is better)" if first["direction"] < 0 else ""
    axes.set_xlabel(label(first["measure"]) + sign)
    psi = "" if first["Psi"] is None else rf"$\Psi$ = {rounded(first['Psi'])}, "
    axes.set_title(rf"{psi}$\tau$ = {rounded(first['tau'])}")
    axes.locator_params(nbins=4)
    axes.margins(0.06)
    for row in shown:
        text = f"{row['checkpoint']}: {row['measure']} {row['value']:.4g}, {row['target']} {row['goal']:.4g}"
        if row["colour"]:
            text += f", {row['colour']} {level_text(row['level'])}"
        drawing.marks.append(Mark(axes, row["value"], row["goal"], text))
