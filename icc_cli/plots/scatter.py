"""Figure 3: each measure against the target, a panel for each measure and set of models."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from icc_cli.errors import UsageError
from icc_cli.plots.figure import Figure, Given
from icc_cli.plots.names import short
from icc_cli.plots.psi import symbol_of
from icc_cli.plots.style import (
    COLOURS,
    GREY,
    Drawing,
    Levels,
    Mark,
    Row,
    label,
    level_text,
    of_model,
    panels,
    rounded,
)
from icc_cli.ranking.granulated import granulated
from icc_cli.ranking.names import suggestion
from icc_cli.ranking.rows import defined
from icc_cli.ranking.study import Study
from icc_cli.ranking.values import codes

COLUMNS = 4
NONE = "none"
CHECKPOINT = "checkpoint"
"""The colour of few models: a level for each."""
NAMED = len(COLOURS)
"""Up to so many models have a colour, a marker and a name each."""
APART = 2.0
"""How many times the widest set's range of the target all sets' range may be, on one scale."""
MARGIN = 0.08


def rows(given: Given) -> list[Row]:
    """A row for each model and measure: the value, the target, the hyperparameter that colours it, and the measure's
    Psi and tau, as `icc rank` gives them (times the direction). A measure that no model has has no row; replicates are
    points of their own. Few models are coloured by their names. UsageError for a colour that is no hyperparameter."""
    study = given.ranked
    table = study.runs
    if given.colour is not None and given.colour not in (NONE, *table.hparams):
        raise UsageError(f"there is no hyperparameter {given.colour!r}.", suggestion(given.colour, table.hparams))
    named = given.colour is None and len(table) <= NAMED
    colour = None if given.colour == NONE else CHECKPOINT if named else given.colour or telling(study)
    levels = short(table.names) if named else table.hparams[colour] if colour else [None] * len(table)
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
                    "set": given.models.name,
                    "measure": measure,
                    "symbol": symbol_of(study, measure),
                    "checkpoint": checkpoint,
                    "value": value,
                    "target": study.target,
                    "goal": float(goal[i]),
                    "colour": colour,
                    "level": levels[i],
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


def key_of(found: Sequence[Row]) -> Levels | None:
    """What tells points apart, when that is the same in all sets: a hyperparameter, or names of few models."""
    coloured = {row["colour"] for row in found}
    if len(coloured) > 1 or coloured == {None}:
        return None
    levels = Levels.of(coloured.pop(), [row["level"] for row in found])
    return None if levels.name == CHECKPOINT and len(levels.values) > NAMED else levels


def draw(found: Sequence[Row]) -> Drawing:
    """Draw `rows`, those of several sets one set below the other, on one scale of the target unless sets lie apart."""
    sets = list(dict.fromkeys(row["set"] for row in found))
    lines = [(one, part) for one in sets for part in _lines(row["measure"] for row in found if row["set"] == one)]
    limits, alike = _limits(found, sets)
    levels = key_of(found)
    with panels(len(lines), max(len(part) for _, part in lines), 1.75, sharey="row") as (figure, grid):
        drawing = Drawing(figure)
        for cells, (one, measures) in zip(grid, lines, strict=True):
            for axes in cells[len(measures) :]:
                axes.set_visible(False)
            for axes, measure in zip(cells, measures, strict=False):
                shown = [row for row in found if (row["set"], row["measure"]) == (one, measure)]
                _panel(axes, shown, levels, drawing)
            cells[0].set_ylim(limits[one])
            cells[0].set_ylabel(f"{one}\n{label(found[0]['target'])}" if one else label(found[0]["target"]))
        if levels:
            levels.key(figure, grid.ravel().tolist())
        if not alike:
            figure.suptitle(
                f"The sets lie apart: each has its own scale of {label(found[0]['target'])}.", fontsize=7, color=GREY
            )
    return drawing


def _lines(names: Any) -> list[list[str]]:
    """The distinct names in lines of COLUMNS."""
    distinct = list(dict.fromkeys(names))
    return [distinct[i : i + COLUMNS] for i in range(0, len(distinct), COLUMNS)]


def _limits(found: Sequence[Row], sets: Sequence[str]) -> tuple[dict[str, tuple[float, float]], bool]:
    """The target's range that each set is drawn on, and whether it is one for all."""
    goals = {one: [row["goal"] for row in found if row["set"] == one] for one in sets}
    own = {one: (min(part), max(part)) for one, part in goals.items()}
    low, high = min(part[0] for part in own.values()), max(part[1] for part in own.values())
    alike = high - low <= APART * max(b - a for a, b in own.values())
    ranges = {one: (low, high) if alike else own[one] for one in sets}
    return {one: (a - MARGIN * (b - a or 0.01), b + MARGIN * (b - a or 0.01)) for one, (a, b) in ranges.items()}, alike


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
    axes.set_xlabel(label(first["measure"], first["symbol"] or "") + sign)
    psi = "" if first["Psi"] is None else rf"$\Psi$ = {rounded(first['Psi'])}, "
    axes.set_title(rf"{psi}$\tau$ = {rounded(first['tau'])}")
    axes.locator_params(nbins=4)
    axes.margins(x=MARGIN)
    for row in shown:
        text = f"{row['checkpoint']}: {row['measure']} {row['value']:.4g}, {row['target']} {row['goal']:.4g}"
        if row["colour"] not in (None, CHECKPOINT):
            text += f", {row['colour']} {level_text(row['level'])}"
        drawing.marks.append(Mark(axes, row["value"], row["goal"], text, of_model(row["set"], row["checkpoint"])))


SCATTER = Figure("scatter", "study", rows, draw, "Each measure against the target; a point is a model.")
