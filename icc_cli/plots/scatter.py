"""Figure 3: each measure against the target, a panel for each measure and set of models."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from icc_cli.plots.sets import ModelSet
from icc_cli.plots.style import COLOURS, Drawing, Levels, Mark, Row, label, level_text, panels, rounded
from icc_cli.ranking.directions import direction
from icc_cli.ranking.granulated import granulated
from icc_cli.ranking.groups import axes_of
from icc_cli.ranking.rows import defined
from icc_cli.ranking.sources.selection import Selection, chosen_measures
from icc_cli.ranking.table import ModelTable, codes

COLUMNS = 4


def rows(
    models: ModelSet, measures: Sequence[str], target: str, colour: str | None, directions: dict[str, int]
) -> list[Row]:
    """A row for each model and measure: the value, the target, the hyperparameter that colours it, and the
    measure's Psi and tau over the set, as `icc rank` gives them (times the direction)."""
    table = models.table
    axes = axes_of(table)
    signs = [direction(name, target, directions) for name in measures]
    values = np.stack([table.column(name) * sign for name, sign in zip(measures, signs, strict=True)], axis=1)
    goal = table.column(target)
    result = granulated(values, goal, axes)
    found = []
    for k, name in enumerate(measures):
        for i, checkpoint in enumerate(table.names):
            value = float(table.column(name)[i])
            if math.isnan(value):
                continue
            found.append(
                {
                    "set": models.name,
                    "measure": name,
                    "checkpoint": checkpoint,
                    "value": value,
                    "target": target,
                    "goal": float(goal[i]),
                    "colour": colour,
                    "level": table.hparams[colour][i] if colour else None,
                    "direction": signs[k],
                    "Psi": defined(result.total[k]),
                    "tau": defined(result.tau[k]),
                }
            )
    return found


def measures_of(table: ModelTable, selection: Selection) -> tuple[str, ...]:
    """The columns asked for that some model has a value in, in order; the target is no measure."""
    names = chosen_measures([name for name in table.columns if name != selection.target], selection)
    return tuple(name for name in names if (table.column(name) == table.column(name)).any())


def telling(table: ModelTable, target: str) -> str | None:
    """The hyperparameter whose levels' means explain most of the target's variance; None when none varies."""
    goal = table.column(target)
    best, most = None, -1.0
    for axis in axes_of(table):
        code = codes(table.hparams[axis.name])
        count = np.bincount(code)
        means = np.bincount(code, goal) / count
        between = float(count @ (means - goal.mean()) ** 2)
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
