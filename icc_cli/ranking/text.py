"""A ranking as text for a terminal: as many columns side by side as fit, the rest below, and no cell broken."""

import textwrap
from collections.abc import Sequence

from icc_cli.ranking.cells import Line, footnotes, lines
from icc_cli.ranking.rows import Row

WIDTH = 100
GAP = "  "
RULE = "─"


def table(rows: Sequence[Row], title: str, width: int = WIDTH, verbose: bool = False, said: Sequence[str] = ()) -> str:
    """The title and what is `said` below it, then Psi and what belongs to it, then the axes, folded into blocks of at
    most `width` characters.

    Every block begins with the measures; controls stand under a rule. A column wider than `width` stands alone.
    """
    shown = lines(rows, verbose)
    head = list(dict.fromkeys(name for line in shown for name in line.head))
    axes = list(dict.fromkeys(name for line in shown for name in line.axes))
    cells = [{**{f"head:{k}": v for k, v in line.head.items()}, **line.axes} for line in shown]
    first, rest = f"head:{head[0]}" if head else "", [f"head:{name}" for name in head[1:]]
    widths = {name: _width(name, cells) for name in (first, *rest, *axes)}
    parts = [rest, axes]
    if widths[first] + sum(len(GAP) + widths[name] for name in (*rest, *axes)) <= width:
        parts = [[*rest, *axes]]
    blocks = [block for part in parts for block in _folded(part, widths, width - widths[first]) if block]
    drawn = [_block([first, *block], cells, shown, widths) for block in blocks or [[]]]
    notes = [textwrap.fill(note, width) for note in footnotes(rows, verbose)]
    top = ["\n".join(textwrap.fill(one, width) for one in (title, *said) if one)] if title or said else []
    return "\n\n".join([*top, *drawn]) + ("\n\n" + "\n".join(notes) if notes else "")


def _name(column: str) -> str:
    return column.removeprefix("head:")


def _width(column: str, cells: Sequence[dict[str, str]]) -> int:
    return max(
        [len(_name(column)), *(len(part) for row in cells for part in row.get(column, "-").split("\n"))], default=0
    )


def _folded(columns: Sequence[str], widths: dict[str, int], room: int) -> list[list[str]]:
    """The columns in blocks whose widths, with the gaps before them, fit into `room`."""
    blocks: list[list[str]] = [[]]
    used = 0
    for column in columns:
        wide = len(GAP) + widths[column]
        if blocks[-1] and used + wide > room:
            blocks.append([])
            used = 0
        blocks[-1].append(column)
        used += wide
    return blocks


def _block(
    columns: Sequence[str], cells: Sequence[dict[str, str]], shown: Sequence[Line], widths: dict[str, int]
) -> str:
    def printed(parts: Sequence[str]) -> str:
        padded = [
            part.ljust(widths[column]) if i == 0 else part.rjust(widths[column])
            for i, (column, part) in enumerate(zip(columns, parts, strict=True))
        ]
        return GAP.join(padded).rstrip()

    rule = RULE * (sum(widths[column] for column in columns) + len(GAP) * (len(columns) - 1))
    out = [printed([_name(column) for column in columns]), rule]
    for place, row in enumerate(cells):
        if shown[place].control and not (place and shown[place - 1].control):
            out.append(rule)
        parts = [row.get(column, "-").split("\n") for column in columns]
        for i in range(max(map(len, parts))):
            out.append(printed([part[i] if i < len(part) else "" for part in parts]))
    return "\n".join(out)
