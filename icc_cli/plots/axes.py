"""Along which hyperparameter each measure orders the models: psi as a map, measures by axes, a panel for each set."""

from collections.abc import Sequence
from typing import Any

from icc_cli.errors import UsageError
from icc_cli.plots.figure import Figure, Given
from icc_cli.plots.psi import ranked, symbol_of
from icc_cli.plots.style import Drawing, Mark, Row, label, panels, rounded

ROW_HEIGHT = 0.23
"""Inches."""
DIVERGING = "RdBu"
DARK = 0.6
"""|psi| from which white letters are read more easily than black ones."""
TOTAL = "Psi"
"""The column of the mean of the axes."""
GAP = 0.2
"""Between the axes and their mean."""


def rows(given: Given) -> list[Row]:
    """A row for each measure or control and axis, and for their mean, `Psi`: psi, its interval and its groups, as
    `icc rank` gives them. UsageError when no hyperparameter varies alone."""
    study = given.ranked
    found: list[Row] = []
    for line in ranked(given):
        if not line["models"]:
            continue
        cells = {axis: (cell["psi"], cell["interval"], cell["groups"]) for axis, cell in line["axes"].items()}
        for axis, (psi, interval, groups) in {**cells, TOTAL: (line["Psi"], line["Psi_interval"], None)}.items():
            found.append(
                {
                    "set": given.models.name,
                    "measure": line["measure"],
                    "symbol": symbol_of(study, line["measure"]),
                    "control": bool(line.get("control")),
                    "axis": axis,
                    "psi": psi,
                    "low": interval[0] if interval else None,
                    "high": interval[1] if interval else None,
                    "groups": groups,
                }
            )
    if not any(row["psi"] is not None for row in found):
        raise UsageError(
            f"no hyperparameter of {given.models.name or 'these models'} varies alone, so that none has a psi.",
            "`icc rank` gives tau over all pairs.",
        )
    return found


def draw(found: Sequence[Row]) -> Drawing:
    """A cell for each measure and axis, red to blue for -1 to 1, with its psi in it, and in brackets where the interval
    holds 0; the last column is Psi. Empty where an axis has no group."""
    sets = list(dict.fromkeys(row["set"] for row in found))
    measures = list(dict.fromkeys(row["measure"] for row in found))
    columns = [*dict.fromkeys(row["axis"] for row in found if row["axis"] != TOTAL), TOTAL]
    with panels(len(sets), 1, 0.75 + ROW_HEIGHT * len(measures)) as (figure, grid):
        drawing = Drawing(figure)
        figure.set_figwidth(min(7.0, 1.6 + 0.62 * len(columns)))
        for axes, one in zip(grid[:, 0], sets, strict=True):
            rows = [row for row in found if row["set"] == one]
            for row in rows:
                x = columns.index(row["axis"]) + GAP * (row["axis"] == TOTAL)
                _cell(axes, row, x, measures.index(row["measure"]), drawing)
            symbols = {row["measure"]: row["symbol"] for row in rows}
            shown = [label(name, symbols.get(name) or "") for name in measures]
            axes.set_yticks(range(len(measures)), shown)
            heads = [r"$\Psi$" if name == TOTAL else name.replace("_", " ") for name in columns]
            turned = {"rotation": 30, "ha": "left", "rotation_mode": "anchor"} if len(columns) > 4 else {}
            axes.set_xticks([*range(len(columns) - 1), len(columns) - 1 + GAP], heads, **turned)
            axes.tick_params(length=0, labeltop=True, labelbottom=False)
            axes.set_xlim(-0.5, len(columns) - 0.5 + GAP)
            axes.set_ylim(len(measures) - 0.5, -0.5)
            axes.spines[:].set_visible(False)
            axes.grid(False)
            if one:
                axes.set_ylabel(one)
        figure.supxlabel("in brackets: the interval holds 0", fontsize=7)
    return drawing


def _cell(axes: Any, row: Row, x: float, y: int, drawing: Drawing) -> None:
    import matplotlib

    psi = row["psi"]
    if psi is None:
        return
    colour = matplotlib.colormaps[DIVERGING](0.5 + 0.45 * psi)
    axes.add_patch(matplotlib.patches.Rectangle((x - 0.48, y - 0.47), 0.96, 0.94, facecolor=colour, linewidth=0))
    unsure = row["low"] is None or row["low"] <= 0 <= row["high"]
    text = f"({rounded(psi)})" if unsure else rounded(psi)
    axes.text(x, y, text, ha="center", va="center", fontsize=7, color="white" if abs(psi) > DARK else "black")
    said = f"{row['measure']}, {row['axis']}: {rounded(psi)}"
    if row["low"] is not None:
        said += f" [{rounded(row['low'])}, {rounded(row['high'])}]"
    if row["groups"] is not None:
        said += f", {row['groups']} groups"
    drawing.marks.append(Mark(axes, x, y, said))


AXES = Figure(
    "axes",
    "study",
    rows,
    draw,
    "ψ of each measure along each hyperparameter, and their mean Ψ.",
)
