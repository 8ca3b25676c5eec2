"""One self-contained HTML page: text, tables and figures, with nothing fetched from anywhere."""

import html
from collections.abc import Sequence
from typing import Any

from icc_cli.plots.style import Drawing, rounded
from icc_cli.plots.svg import element
from icc_cli.shapes import JsonObject

CSS = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 70rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
h3 { font-size: 1.05rem; }
figure { margin: 1rem 0; } figure svg { height: auto; }
figcaption, .quiet { color: #555; font-size: .9em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88em; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #e5e5e5; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 2px solid #999; }
td small { color: #666; display: block; }
.mark { fill: transparent; } .mark:hover { fill: none; stroke: #000; stroke-width: 1.2; }
details > summary { cursor: pointer; }
"""


def page(title: str, parts: Sequence[str]) -> str:
    """The document; `parts` are HTML."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{CSS}</style></head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def heading(text: str, level: int = 2) -> str:
    return f"<h{level}>{html.escape(text)}</h{level}>"


def paragraph(text: str, quiet: bool = False) -> str:
    return f"<p{' class=quiet' if quiet else ''}>{html.escape(text)}</p>"


def bullets(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def figure(drawing: Drawing, caption: str) -> str:
    return f"<figure>{element(drawing, caption)}<figcaption>{html.escape(caption)}</figcaption></figure>"


def folded(summary: str, content: str) -> str:
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def table(rows: Sequence[JsonObject]) -> str:
    """Rows that share their keys; cells that are HTML already are `Html`."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(row.get(column))}</td>" for column in columns) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


class Html(str):
    """Text that is HTML already."""


def coefficient(value: float | None, interval: Sequence[float] | None, counts: str = "") -> Html:
    """A coefficient with its interval below it; the counts when it is pointed at."""
    below = f"<small>{rounded(interval[0])} to {rounded(interval[1])}</small>" if interval else ""
    return Html(f'<span title="{html.escape(counts)}">{rounded(value)}</span>{below}')


def _cell(value: Any) -> str:
    if isinstance(value, Html):
        return value
    if value is None:
        return "–"
    return html.escape(f"{value:.4g}" if isinstance(value, float) else str(value))
