"""One self-contained HTML page: text, tables and figures, with nothing fetched from anywhere."""

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from icc_cli.plots.report.svg import element
from icc_cli.plots.style import Drawing, rounded

FILTERED = 20
"""Tables of more rows than this can be filtered, and scroll in a box of their own."""
MISSING = "–"
SHADE = 0.5
"""How much of a coefficient of 1 colours its cell."""
PLUS, MINUS = "0, 114, 178", "213, 94, 0"


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    below  small, under the text
    hint   shown when the cell is pointed at
    value  what the column is sorted by; None for the text
    shade  -1 to 1 colours the cell
    bar    a value and its interval, drawn on a line from -1 to 1 instead of the text
    """

    text: str
    below: str = ""
    hint: str = ""
    value: float | None = None
    shade: float | None = None
    bar: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Line:
    """A row of a table: its cells by column, and the model that it is about, if any; controls lie under a rule."""

    cells: Mapping[str, object]
    of: str = ""
    control: bool = False


def page(title: str, parts: Sequence[str]) -> str:
    """The document; `parts` are HTML. Its policy lets it run its own script and nothing else, and fetch nothing."""
    css, script = _asset("report.css"), _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{css}</style></head>\n<body>\n<main>\n"
        f"<h1>{html.escape(title)}</h1>\n" + "\n".join(parts) + f"\n</main>\n<output></output>\n"
        f"<script>{script}</script>\n</body></html>\n"
    )


def heading(text: str, level: int = 2) -> str:
    return f"<h{level}>{html.escape(text)}</h{level}>"


def paragraph(text: str, quiet: bool = False) -> str:
    return f"<p{' class=quiet' if quiet else ''}>{html.escape(text)}</p>"


def bullets(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def figure(drawing: Drawing, caption: str) -> str:
    """A drawing over its caption; it scrolls where the screen is narrow, so that its letters stay readable."""
    return (
        f'<figure><div class="scroll">{element(drawing, caption)}</div>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def folded(summary: str, content: str) -> str:
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def beside(*parts: Sequence[str]) -> str:
    """Columns of a wide screen, one below the other on a narrow one."""
    return '<div class="beside">' + "".join(f"<section>{''.join(part)}</section>" for part in parts) + "</div>"


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and what is said of each."""
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in pairs)
    return f"<dl>{rows}</dl>"


def table(lines: Sequence[Line]) -> str:
    """A table whose first column stays in sight; the page's script lets readers sort it, and filter a long one."""
    columns = list(dict.fromkeys(key for line in lines for key in line.cells))
    head = "".join(f'<th scope="col">{_breakable(column)}</th>' for column in columns)
    body = "".join(
        f"<tr{_of(line.of)}{_class(_kind(line, lines[i - 1] if i else None))}>"
        + "".join(_cell(line.cells.get(column), i == 0) for i, column in enumerate(columns))
        + "</tr>"
        for i, line in enumerate(lines)
    )
    tall = " tall" if len(lines) > FILTERED else ""
    return f"<div{_class(f'scroll{tall}')}><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def coefficient(value: float | None, interval: Sequence[float] | None, hint: str = "") -> Cell:
    """A coefficient with its interval below it, in its colour."""
    below = f"{rounded(interval[0])} to {rounded(interval[1])}" if interval else ""
    return Cell(rounded(value), below, hint, value, value)


def _of(model: str) -> str:
    return f' data-of="{html.escape(model)}"' if model else ""


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _kind(line: Line, before: Line | None) -> str:
    if not line.control:
        return ""
    return "control" if before and before.control else "control rule"


def _breakable(text: str) -> str:
    return html.escape(text).replace("_", "_<wbr>")


def _cell(value: object, first: bool) -> str:
    cell = value if isinstance(value, Cell) else Cell(_text(value))
    tag, given = ("th", ' scope="row"') if first else ("td", "")
    if cell.value is not None:
        given += f' data-value="{cell.value:.9g}"'
    if cell.hint:
        given += f' title="{html.escape(cell.hint)}"'
    if cell.shade is not None:
        colour = PLUS if cell.shade > 0 else MINUS
        given += f' style="background: rgba({colour}, {SHADE * min(1.0, abs(cell.shade)):.2f})"'
    below = f"<small>{html.escape(cell.below)}</small>" if cell.below else ""
    shown = _bar(*cell.bar) if cell.bar else _breakable(cell.text) if first else html.escape(cell.text)
    return f"<{tag}{given}>{shown}{below}</{tag}>"


def _bar(value: float, low: float, high: float) -> str:
    left, middle, right = (50 + 50 * max(-1.0, min(1.0, at)) for at in (low, value, high))
    return (
        f'<span class="bar"><i style="left: {left:.1f}%; width: {right - left:.1f}%"></i>'
        f'<b style="left: {middle:.1f}%"></b></span>'
    )


def _text(value: object) -> str:
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8")
