"""Figure 5: each measure along the depth of the network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from icc_cli.errors import UsageError
from icc_cli.measures.result import SiteValues
from icc_cli.plots.sets import RecordSet
from icc_cli.plots.style import COLOURS, MARKERS, Drawing, Mark, Row, label, panels

MEASURES = ("c1", "c2", "c3", "c4")


def rows(models: RecordSet) -> list[Row]:
    """A row for each measure and site of the models of equal depth (number of sites): mean and standard
    deviation between models, how many have the value, and the site's name in the first of them.

    UsageError when no record was measured per site.
    """
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
    for depth, networks in sorted(depths.items()):
        for measure in MEASURES:
            for place in range(depth):
                found_values = [sites[place].measures.get(measure) for sites in networks]
                values = [value for value in found_values if value is not None]
                if not values:
                    continue
                found.append(
                    {
                        "set": models.name,
                        "depth": depth,
                        "measure": measure,
                        "site": place + 1,
                        "name": networks[0][place].name,
                        "models": len(values),
                        "mean": float(np.mean(values)),
                        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
                    }
                )
    return found


def draw(found: Sequence[Row]) -> Drawing:
    """A row of panels for each set, a panel for each measure, a line for each depth; bands of one deviation."""
    sets = list(dict.fromkeys(row["set"] for row in found))
    measures = [name for name in MEASURES if any(row["measure"] == name for row in found)]
    with panels(len(sets), len(measures), 1.9) as (figure, grid):
        drawing = Drawing(figure)
        for line, one in zip(grid, sets, strict=True):
            depths = sorted({row["depth"] for row in found if row["set"] == one})
            for axes, measure in zip(line, measures, strict=True):
                for order, depth in enumerate(depths):
                    part = [r for r in found if (r["set"], r["measure"], r["depth"]) == (one, measure, depth)]
                    if part:
                        _line(axes, part, order, drawing)
                axes.set_title(label(measure))
                axes.locator_params(axis="x", integer=True, nbins=6)
                axes.set_xlabel("site")
            line[0].set_ylabel(f"{one}\nmean of models $\\pm$ sd" if one else "mean of models $\\pm$ sd")
        handles: dict[str, Any] = {}
        for axes in grid.ravel():
            handles |= {text: handle for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return drawing


def _line(axes: Any, part: list[Row], order: int, drawing: Drawing) -> None:
    colour = COLOURS[order % len(COLOURS)]
    x = [row["site"] for row in part]
    mean = np.array([row["mean"] for row in part])
    sd = np.array([row["sd"] for row in part])
    count = max(row["models"] for row in part)
    text = f"{part[0]['set']}, {part[0]['depth']} sites ({count} model{'s' if count > 1 else ''})"
    axes.plot(x, mean, color=colour, marker=MARKERS[order % len(MARKERS)], markersize=2.5, label=text)
    axes.fill_between(x, mean - sd, mean + sd, color=colour, alpha=0.18, linewidth=0)
    for row in part:
        said = f"{row['name']}: {row['measure']} {row['mean']:.4g} ± {row['sd']:.2g} ({row['models']} models)"
        drawing.marks.append(Mark(axes, row["site"], row["mean"], said))
