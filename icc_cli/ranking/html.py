"""A ranking as an HTML table, for a notebook."""

from collections.abc import Sequence
from html import escape

from icc_cli.ranking.cells import footnotes, lines
from icc_cli.ranking.rows import Row


def table(rows: Sequence[Row], title: str, said: Sequence[str] = ()) -> str:
    """One table with the title as its caption; controls stand under a rule."""
    shown = lines(rows)
    head = list(dict.fromkeys(name for line in shown for name in line.head))
    axes = list(dict.fromkeys(name for line in shown for name in line.axes))
    out = [f"<table><caption>{escape(title)}</caption><thead><tr>"]
    out += [f"<th>{escape(name)}</th>" for name in (*head, *axes)]
    out.append("</tr></thead><tbody>")
    for place, line in enumerate(shown):
        ruled = line.control and not (place and shown[place - 1].control)
        out.append('<tr style="border-top: 1px solid">' if ruled else "<tr>")
        cells = [line.head.get(name, "-") for name in head] + [line.axes.get(name, "-") for name in axes]
        out += [f"<td>{escape(cell)}</td>" for cell in cells]
        out.append("</tr>")
    notes = " ".join([*said, "; ".join(footnotes(rows, False))]).strip()
    return "".join(out) + "</tbody></table>" + (f"<p>{escape(notes)}</p>" if notes else "")
