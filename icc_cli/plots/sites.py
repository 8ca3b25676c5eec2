"""Figure 5: each measure along the depth of the network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from icc_cli.errors import UsageError
from icc_cli.measures.result import SiteValues
from icc_cli.plots.figure import Figure, Given
from icc_cli.plots.style import COLOURS, MARKERS, Drawing, Mark, Row, label, panels, symbols_of

COLUMNS = 4


def rows(given: Given) -> list[Row]:
    """A row for each measure and site of the models of equal depth (number of sites): mean and standard
    deviation between models, how many have the value, and the site's name in the first of them.

    UsageError when no record was measured per site.
    """
    models = given.models
    depths: dict[int, list[tuple[SiteValues, ...]]] = {}
    seen = set()
    for record in models.records:
        if record.sites and record.weights_sha256 not in seen:
            seen.add(record.weights_sha256)
            depths.setdefault(len(record.sites), []).append(record.sites)
    if not depths:
        raise UsageError(
            f"no record of {models.name or 'these models'} holds the sites.",
            "Run `icc measure --per-site` on their caches.",
        )
    found = []
    for measure, symbol in symbols_of(models.records).items():
        for depth, networks in sorted(depths.items()):
            for place in range(depth):
                known = [sites[place].measures.get(measure) for sites in networks]
                values = [value for value in known if value is not None]
                if not values:
                    continue
                found.append(
                    {
                        "set": models.name,
                        "depth": depth,
                        "measure": measure,
                        "symbol": symbol,
                        "site": place + 1,
                        "name": networks[0][place].name,
                        "models": len(values),
                        "mean": float(np.mean(values)),
                        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
                    }
                )
    return found


def draw(found: Sequence[Row]) -> Drawing:
    """A panel for each measure, rows of them for each set, a line for each depth with a band of one deviation.

    Networks of several depths are laid over each other: from their first site, 0, to their last, 1.
    """
    sets = list(dict.fromkeys(row["set"] for row in found))
    lines = [(one, part) for one in sets for part in _split(row["measure"] for row in found if row["set"] == one)]
    relative = len({row["depth"] for row in found}) > 1
    with panels(len(lines), max(len(part) for _, part in lines), 1.75) as (figure, grid):
        drawing = Drawing(figure)
        explained: set[str] = set()
        for cells, (one, measures) in zip(grid, lines, strict=True):
            for axes in cells[len(measures) :]:
                axes.set_visible(False)
            for axes, measure in zip(cells, measures, strict=False):
                shown = [row for row in found if (row["set"], row["measure"]) == (one, measure)]
                _panel(axes, shown, relative, drawing)
                axes.set_xlabel("depth, first to last site" if relative else "site")
            cells[0].set_ylabel(f"{one}\nmean of models $\\pm$ sd" if one else "mean of models $\\pm$ sd")
            if one not in explained:
                explained.add(one)
                cells[0].margins(y=0.2)
                cells[0].legend(loc="best", handlelength=1.5, borderpad=0.1, fontsize=6)
    return drawing


def _split(names: Any) -> list[list[str]]:
    """The distinct names in lines of COLUMNS."""
    distinct = list(dict.fromkeys(names))
    return [distinct[i : i + COLUMNS] for i in range(0, len(distinct), COLUMNS)]


def _panel(axes: Any, found: list[Row], relative: bool, drawing: Drawing) -> None:
    for order, depth in enumerate(sorted({row["depth"] for row in found})):
        part = [row for row in found if row["depth"] == depth]
        _line(axes, part, [place_of(row, relative) for row in part], order, drawing)
    axes.set_title(label(found[0]["measure"], found[0]["symbol"] or ""))
    axes.locator_params(axis="x", integer=not relative, nbins=6)


def place_of(row: Row, relative: bool) -> float:
    """Where a site stands: its number, or, `relative` to the network's sites, from 0 to 1."""
    if not relative:
        return float(row["site"])
    return (row["site"] - 1) / (row["depth"] - 1) if row["depth"] > 1 else 0.5


def _line(axes: Any, part: list[Row], x: list[float], order: int, drawing: Drawing) -> None:
    colour = COLOURS[order % len(COLOURS)]
    mean = np.array([row["mean"] for row in part])
    sd = np.array([row["sd"] for row in part])
    count = max(row["models"] for row in part)
    text = f"{part[0]['depth']} sites, {count} model{'s' if count > 1 else ''}"
    axes.plot(x, mean, color=colour, marker=MARKERS[order % len(MARKERS)], markersize=2.5, label=text)
    axes.fill_between(x, mean - sd, mean + sd, color=colour, alpha=0.18, linewidth=0)
    for at, row in zip(x, part, strict=True):
        said = f"{row['name']}: {row['measure']} {row['mean']:.4g} ± {row['sd']:.2g} ({row['models']} models)"
        drawing.marks.append(Mark(axes, at, row["mean"], said))


SITES = Figure(
    "sites", "models", rows, draw, "Each measure along the depth: mean and standard deviation of the models."
)
