"""A drawing as an SVG element of a page, each of its marks saying its value when it is pointed at."""

import html
import io
import math
import re

from icc_cli.plots.style import WIDTH, Drawing

METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
RADIUS = 4.0
POINTS_PER_INCH = 72
LEAST = 1.1
"""Pixels for a point, at least: what is wider than the screen scrolls, so that its letters stay readable."""


def element(drawing: Drawing, name: str) -> str:
    """`<svg>` of the drawing, as wide as what holds it, with a transparent circle and a title for each mark."""
    buffer = io.StringIO()
    # The layout is settled by drawing, and the marks' places with it.
    drawing.render(buffer, format="svg", metadata={"Date": None, "Creator": "icc"})
    text = buffer.getvalue()
    text = METADATA.sub("", text[text.index("<svg") :])
    width, height = drawing.figure.get_size_inches() * POINTS_PER_INCH
    head, body = text.split(">", 1)
    head = f'<svg role="img" aria-label="{html.escape(name)}" xmlns="http://www.w3.org/2000/svg" '
    head += f'xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {width:g} {height:g}" '
    head += f'style="width: {100 * width / POINTS_PER_INCH / WIDTH:.4g}%; min-width: {LEAST * width:.0f}px"'
    return f"{head}>{body.replace('</svg>', '')}{_circles(drawing, height)}</svg>"


def _circles(drawing: Drawing, height: float) -> str:
    scale = POINTS_PER_INCH / drawing.figure.dpi
    circles = []
    for mark in drawing.marks:
        x, y = mark.axes.transData.transform((mark.x, mark.y)) * scale
        if math.isfinite(x) and math.isfinite(y):
            place = f'cx="{x:.2f}" cy="{height - y:.2f}" r="{RADIUS:g}"'
            model = f' data-of="{html.escape(mark.of)}"' if mark.of else ""
            circles.append(f'<circle class="mark" {place}{model}><title>{html.escape(mark.text)}</title></circle>')
    return f"<g>{''.join(circles)}</g>"
