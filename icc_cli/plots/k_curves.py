"""Figure 4: the granulated Kendall coefficient against k, of c1 and c3 and whatever else was measured for every k."""

from collections.abc import Sequence

import numpy as np

from icc_cli import catalog
from icc_cli.errors import UsageError
from icc_cli.plots.figure import Figure, Given
from icc_cli.plots.psi import symbol_of
from icc_cli.plots.style import COLOURS, GREY, Drawing, Mark, Row, label, panels
from icc_cli.ranking.granulated import granulated
from icc_cli.ranking.replicates import configurations
from icc_cli.ranking.rows import bounds, defined
from icc_cli.ranking.sources.sets import RecordSet
from icc_cli.ranking.uncertainty import ACROSS

POINTS = 120
MEASURES = ("*@k=*",)
STYLES = ("-", "--", "-.", ":")


def rows(given: Given) -> list[Row]:
    """A row for each measure and k, about evenly spaced in log k: Psi, times the measure's direction, and its interval
    across studies.

    `neurons_per_class` is k times the number of groups a class is made of: the subclasses of a class for c1 (their mean
    number where they differ, 1 where the records do not say), 1 for c3. k ends at the largest network's number of
    neurons; a smaller network takes all it has. UsageError when no record holds a measure at every k, and when no
    hyperparameter varies alone, so that Psi is not defined at any.
    """
    models, study = given.models, given.ranked
    values = study.values
    columns = list(study.measures)
    same = configurations(study.table)
    found: list[Row] = []
    for name in dict.fromkeys(name for one in models.records for name, curve in (one.all_k or {}).items() if curve):
        numbered = {i: column.removeprefix(f"{name}@k=") for i, column in enumerate(columns) if "@k=" in column}
        ks = {int(k): i for i, k in numbered.items() if k.isdecimal()}
        if not ks:  # the same in every model, or against the other values, and so no column
            continue
        kept = sorted({sorted(ks)[round(i)] for i in np.geomspace(1, len(ks), POINTS) - 1})
        part = values[:, [ks[k] for k in kept]]
        result = granulated(part, study.goal, study.axes, configurations=same, sure=True)
        assert result.spread is not None
        intervals, _ = result.spread.answer(ACROSS, given.confidence)
        over_subclasses = getattr(catalog.find(name), "groups", "") == "subclasses"
        subclasses = subclasses_per_class(models) if over_subclasses else None
        factor = subclasses or 1.0
        for i, k in enumerate(kept):
            interval = bounds(intervals[:, i])
            found.append(
                {
                    "set": models.name,
                    "measure": name,
                    "symbol": symbol_of(study, name),
                    "k": k,
                    "neurons_per_class": k * factor,
                    "subclasses": subclasses,
                    "Psi": defined(result.total[i]),
                    "low": interval[0] if interval else None,
                    "high": interval[1] if interval else None,
                    "models": int(result.models[i]),
                    "direction": study.measures[f"{name}@k={k}"].direction,
                }
            )
    if not found:
        raise UsageError(
            f"the records of {models.name or 'these models'} do not hold a measure for every k.",
            "Run `icc measure --all-k` on their caches.",
        )
    if all(row["Psi"] is None for row in found):
        raise UsageError(
            f"no hyperparameter of {models.name or 'these models'} varies alone, so that Psi is not defined at any k.",
            "Give models that differ in one hyperparameter.",
        )
    return found


def subclasses_per_class(models: RecordSet) -> float | None:
    """How many subclasses a class has, on average; None when no record says."""
    for record in models.records:
        groups = record.groups
        if groups and groups.get("subclasses") and groups.get("classes"):
            return float(groups["subclasses"] / groups["classes"])
    return None


def draw(found: Sequence[Row]) -> Drawing:
    """A panel for each set, with a line and a band for each measure."""
    sets = list(dict.fromkeys(row["set"] for row in found))
    names = list(dict.fromkeys(row["measure"] for row in found))
    with panels(1, len(sets), 2.3, sharey=True) as (figure, grid):
        drawing = Drawing(figure)
        for axes, one in zip(grid[0], sets, strict=True):
            for place, name in enumerate(names):
                colour, style = COLOURS[place % len(COLOURS)], STYLES[place % len(STYLES)]
                line = [row for row in found if (row["set"], row["measure"]) == (one, name) and row["Psi"] is not None]
                if not line:
                    continue
                x, y = [row["neurons_per_class"] for row in line], [row["Psi"] for row in line]
                factor = line[0]["neurons_per_class"] / line[0]["k"]
                times = f", $k$ times {factor:.3g}" if factor != 1 else ""
                axes.plot(x, y, color=colour, ls=style, label=label(name, line[0]["symbol"]) + times)
                banded = [row for row in line if row["low"] is not None]
                axes.fill_between(
                    [row["neurons_per_class"] for row in banded],
                    [row["low"] for row in banded],
                    [row["high"] for row in banded],
                    color=colour,
                    alpha=0.15,
                    linewidth=0,
                )
                drawing.marks += [Mark(axes, a, b, _text(row)) for a, b, row in zip(x, y, line, strict=True)]
            axes.axhline(0, color=GREY, linewidth=0.6)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.set_xlabel("neurons taken for each class, $k$")
            axes.set_title(one)
            axes.legend(loc="best")
        grid[0][0].set_ylabel("granulated Kendall $\\Psi$")
    return drawing


def _text(row: Row) -> str:
    interval = "" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['measure']} with k = {row['k']}: Psi {row['Psi']:.3f}{interval}"


K = Figure("k", "curves", rows, draw, "Ψ against k, the neurons averaged, with 95 % intervals across studies.")
