"""Figures 2 and 7: how the pre-activations of single neurons are distributed over a class, and over a subclass."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icc_cli.cache.read import Cache
from icc_cli.plots.names import cut
from icc_cli.plots.neuron_choice import Shown, name_of
from icc_cli.plots.style import COLOURS, GREY, Drawing, Row, panels

MOST_BINS = 40


def rows(cache: Cache, name: str, neurons: Sequence[Shown]) -> list[Row]:
    """A row for each bin of each histogram: its edges and both densities, with the neuron and its score."""
    found = []
    for one in neurons:
        bins = int(np.clip(2 * np.sqrt(len(one.inside)), 8, MOST_BINS))
        edges = np.histogram_bin_edges(one.values, bins)
        inside, _ = np.histogram(one.inside, edges, density=True)
        outside, _ = np.histogram(one.outside, edges, density=True)
        for i in range(bins):
            found.append(
                {
                    "cache": name,
                    "measure": one.chosen.group.kind,
                    "site": one.chosen.site,
                    "neuron": one.chosen.neuron,
                    "group": name_of(cache, one.chosen.group),
                    "score": one.score,
                    "low": float(edges[i]),
                    "high": float(edges[i + 1]),
                    "density": float(inside[i]),
                    "density_around": float(outside[i]),
                }
            )
    return found


def draw(found: Sequence[Row], images: dict[tuple[str, str, int], NDArray[np.uint8]] | None = None) -> Drawing:
    """A row of panels for each neuron; a column for each cache, or, for one cache, the neurons side by side.

    `images`, by (measure, site, neuron), are (IMAGES, H, W, C) sheets to set beside their neuron.
    """
    caches = list(dict.fromkeys(row["cache"] for row in found))
    neurons = list(dict.fromkeys((row["measure"], row["site"], row["neuron"], row["group"]) for row in found))
    cells = [(neuron, cache) for neuron in neurons for cache in caches]
    if len(caches) > 1:
        wide = len(caches)
    else:
        wide = max(sum(neuron[0] == kind for neuron in neurons) for kind in ("c3", "c1"))
    lines: list[list[tuple[Any, str] | None]] = []
    if len(caches) > 1:
        lines = [[(neuron, cache) for cache in caches] for neuron in neurons]
    else:
        for kind in ("c3", "c1"):
            line: list[Any] = [cell for cell in cells if cell[0][0] == kind]
            lines += [line + [None] * (wide - len(line))] if line else []
    extra = 1 if images and len(caches) > 1 else 0
    stacked = 2 if images and len(caches) == 1 else 1
    with panels(len(lines) * stacked, wide + extra, 1.45) as (figure, grid):
        drawing = Drawing(figure)
        for i, line in enumerate(lines):
            for j, cell in enumerate(line):
                axes = grid[i * stacked][j]
                if cell is None:
                    for k in range(stacked):
                        grid[i * stacked + k][j].set_visible(False)
                    continue
                neuron, cache = cell
                part = [r for r in found if (r["measure"], r["site"], r["neuron"], r["group"]) == neuron]
                _panel(axes, [r for r in part if r["cache"] == cache], cache if len(caches) > 1 else "", j == 0)
                if len(caches) > 1:
                    axes.set_xlim(min(r["low"] for r in part), max(r["high"] for r in part))
                if images and len(caches) == 1:
                    _sheet(grid[i * 2 + 1][j], images[neuron[:3]])
            if extra:
                _sheet(grid[i][-1], images[line[0][0][:3]])  # type: ignore[index]
    return drawing


def _panel(axes: Any, part: list[Row], head: str, first: bool) -> None:
    one = part[0]
    edges = [row["low"] for row in part] + [part[-1]["high"]]
    around = "all" if one["measure"] == "c3" else "rest of its class"
    axes.stairs([row["density_around"] for row in part], edges, fill=True, color=GREY, alpha=0.45, label=around)
    axes.stairs(
        [row["density"] for row in part],
        edges,
        color=COLOURS[1],
        linewidth=1.2,
        label=cut(str(one["group"]).replace("_", " ")),
    )
    score = r"$\sigma_C/\sigma_D$" if one["measure"] == "c3" else "selectivity"
    place = f"{cut(str(one['site']))}, neuron {one['neuron']}" if first or not head else ""
    axes.set_title("\n".join(filter(None, [head, place, f"{score} = {one['score']:.2f}"])))
    axes.set_xlabel("pre-activation")
    axes.set_yticks([])
    axes.set_ylim(top=1.5 * axes.get_ylim()[1])  # room for the legend
    axes.grid(False)
    if first:
        axes.set_ylabel("density")
    if first or not head:
        axes.legend(loc="upper right", fontsize=6, handlelength=1)


def _sheet(axes: Any, images: NDArray[np.uint8]) -> None:
    side = round(len(images) ** 0.5)
    height, width, channels = images.shape[1:]
    gap = max(1, height // 16)
    sheet = np.full((side * (height + gap) - gap, side * (width + gap) - gap, channels), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = (i // side) * (height + gap), (i % side) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    axes.imshow(sheet[..., 0] if channels == 1 else sheet, cmap="gray", interpolation="nearest")
    axes.set_axis_off()
    axes.set_title("highest pre-activations", fontsize=7)
