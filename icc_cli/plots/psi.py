"""The paper's main result as a figure: Psi of each measure with its interval, a panel for each set of models."""

from collections.abc import Sequence
from typing import Any

from icc_cli.catalog import base_name
from icc_cli.errors import UsageError
from icc_cli.plots.figure import Figure, Given
from icc_cli.plots.style import COLOURS, GREY, Drawing, Mark, Row, label, panels, rounded
from icc_cli.ranking.scores import kendall
from icc_cli.ranking.study import Study

ROW_HEIGHT = 0.21
"""Inches."""


def rows(given: Given) -> list[Row]:
    """A row for each measure and control: Psi, times its direction, with its interval, as `icc rank` gives them.

    UsageError when no measure has a Psi.
    """
    study = given.ranked
    found = [
        {
            "set": given.models.name,
            "measure": row["measure"],
            "symbol": symbol_of(study, row["measure"]),
            "control": bool(row.get("control")),
            "target": study.target,
            "models": row["models"],
            "Psi": row["Psi"],
            "low": row["Psi_interval"][0] if row["Psi_interval"] else None,
            "high": row["Psi_interval"][1] if row["Psi_interval"] else None,
            "interval": row["interval"],
            "confidence": given.confidence,
        }
        for row in ranked(given)
        if row["Psi"] is not None
    ]
    if not found:
        raise UsageError(
            f"no hyperparameter of {given.models.name or 'these models'} varies alone, so that no measure has a Psi.",
            "`icc rank` gives tau over all pairs.",
        )
    return found


def ranked(given: Given) -> list[Row]:
    """The rows of `icc rank`: measures, then controls."""
    options = kendall.Options(interval=given.interval, confidence=given.confidence)
    return list(kendall.score(given.ranked, options).rows)


def symbol_of(study: Study, column: str) -> str:
    """The symbol that the records give to a column's measure; empty where the catalog or nobody has one."""
    about = study.table.about.get(base_name(column))
    return about.symbol if about else ""


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


PSI = Figure(
    "psi",
    "study",
    rows,
    draw,
    "Ψ of each measure: the mean over the hyperparameters of how it orders networks that differ in one alone.",
)
