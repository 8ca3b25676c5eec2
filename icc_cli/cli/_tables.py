"""One table, five formats: for people, JSON lines, CSV, markdown, LaTeX."""

import csv
import io
import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from icc_cli.cli._options import Format
from icc_cli.shapes import JsonObject

Row = JsonObject


def chosen(requested: Format | None) -> Format:
    """The format asked for, or a table on a terminal and JSON lines elsewhere."""
    return requested or (Format.table if sys.stdout.isatty() else Format.json)


def render(rows: Sequence[Row], form: Format, title: str = "", digits: int = 4) -> str:
    """`rows`, which share their keys, as text without a final newline.

    CSV and JSON keep every digit; the others round floats to `digits` and show None as a dash.
    """
    if form is Format.json:
        return "\n".join(json.dumps(row) for row in rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if form is Format.csv:
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return buffer.getvalue().rstrip("\n")
    cells = [[_cell(row.get(column), digits) for column in columns] for row in rows]
    if form is Format.markdown:
        lines = [[_marked(c) for c in columns], ["---"] * len(columns), *([_marked(c) for c in row] for row in cells)]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    if form is Format.latex:
        return _latex(columns, cells)
    return _table(columns, cells, title)


def _cell(value: Any, digits: int) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def _marked(text: str) -> str:
    """`text` as a markdown cell shows it: bars end no cell, angle brackets are no tags."""
    return "".join("\\" + c if c in "|<>*_`" and (c != "_" or "__" in text) else c for c in text)


def _latex(columns: list[str], cells: list[list[str]]) -> str:
    body = [" & ".join(_escaped(cell) for cell in line) + r" \\" for line in cells]
    head = " & ".join(_escaped(column) for column in columns) + r" \\"
    spec = "l" + "r" * (len(columns) - 1)
    return "\n".join(
        [rf"\begin{{tabular}}{{{spec}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    )


def _escaped(text: str) -> str:
    spelled = {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"}
    return "".join("\\" + c if c in "&%$#_{}" else spelled.get(c, c) for c in text)


def _table(columns: list[str], cells: list[list[str]], title: str) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for index, column in enumerate(table.columns):
        column.justify = "left" if index == 0 else "right"
        column.no_wrap = True
    for line in cells:
        table.add_row(*line)
    buffer = io.StringIO()
    width = max(
        Console().width, 20 + sum(max(len(row[i]) for row in [columns, *cells]) + 3 for i in range(len(columns)))
    )
    Console(file=buffer, width=width).print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().strip("\n").splitlines())
