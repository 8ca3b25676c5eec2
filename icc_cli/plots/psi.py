"""The paper's main result as a figure: Psi of each measure with its interval, a panel for each set of models."""

from collections.abc import Sequence
from typing import Any

from icc_cli.plots.style import COLOURS, GREY, Drawing, Mark, Row, label, panels, rounded

ROW_HEIGHT = 0.21
"""Inches."""


def draw(found: Sequence[Row]) -> Drawing:
    """A dot for each measure, the highest on top, with a line over its interval; controls are hollow and last.

    Every panel has the same measures in the same order, that of their mean Psi over the sets.
    """
    sets = list(dict.fromkeys(row["set"] for row in found))
    names = ordered(found)
    with panels(1, len(sets), 0.3 + ROW_HEIGHT * len(names), sharey=True, sharex=True) as (figure, grid):
        drawing = Drawing(figure)
        for axes, one in zip(grid[0], sets, strict=True):
            rows = [row for row in found if row["set"] == one]
            for row in rows:
                _dot(axes, row, names.index(row["measure"]), drawing)
            axes.axvline(0, color=GREY, linewidth=0.6)
            axes.set_xlabel(rf"$\Psi$ with {label(rows[0]['target'])}")
            models = max(row["models"] for row in rows)
            axes.set_title(f"{one}: {models} models" if one else f"{models} models")
            axes.grid(axis="y", visible=False)
        symbols = {row["measure"]: row["symbol"] for row in found}
        grid[0][0].set_yticks(range(len(names)), [label(name, symbols[name] or "") for name in names])
        grid[0][0].set_ylim(len(names) - 0.5, -0.5)
        figure.supxlabel(_said(found), fontsize=7, color=GREY)
    return drawing


def ordered(found: Sequence[Row]) -> list[str]:
    """The measures by their mean Psi over the sets, highest first; controls after them."""
    values: dict[str, list[float]] = {}
    for row in found:
        values.setdefault(row["measure"], []).append(row["Psi"])
    controls = {row["measure"] for row in found if row["control"]}
    return sorted(values, key=lambda name: (name in controls, -sum(values[name]) / len(values[name])))


def _dot(axes: Any, row: Row, place: int, drawing: Drawing) -> None:
    colour = GREY if row["control"] else COLOURS[0]
    text = f"{row['measure']}: Psi {rounded(row['Psi'])}"
    if row["low"] is not None:
        axes.plot([row["low"], row["high"]], [place, place], color=colour, solid_capstyle="butt")
        text += f" [{rounded(row['low'])}, {rounded(row['high'])}]"
    fill = "white" if row["control"] else colour
    axes.plot([row["Psi"]], [place], marker="o", markersize=4.5, color=colour, markerfacecolor=fill, ls="")
    drawing.marks.append(Mark(axes, row["Psi"], place, f"{text}, {row['models']} models"))


def _said(found: Sequence[Row]) -> str:
    """What the lines and the hollow dots mean."""
    parts = []
    if any(row["low"] is not None for row in found):
        parts.append(f"lines: {100 * found[0]['confidence']:g} % intervals {found[0]['interval']}")
    if any(row["control"] for row in found):
        parts.append("hollow: controls")
    return "; ".join(parts)
