"""How `icc rank` shows its rows: nested for JSON, a line for each measure in the rest."""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from icc_cli.cli._options import Format
from icc_cli.cli._rank_latex import latex
from icc_cli.cli._report import Reporter
from icc_cli.cli._tables import Row, chosen, render
from icc_cli.errors import UsageError
from icc_cli.files import write_atomically

if TYPE_CHECKING:
    from icc_cli.ranking.result import Ranking

SUFFIXES = {
    ".csv": Format.csv,
    ".json": Format.json,
    ".jsonl": Format.json,
    ".md": Format.markdown,
    ".tex": Format.latex,
    ".txt": Format.table,
}
FILE_WIDTH = 120
NARROWEST = 60


def emit(ranking: "Ranking", requested: Format | None, output: Path | None, verbose: bool, report: Reporter) -> None:
    """Print the rows, or write them to `output` and print its path. A .json file holds a list, the pipe lines.

    What belongs to the table and has no place in JSON and CSV goes to `report`.
    """
    path, form = (None, chosen(requested)) if output is None else _destination(output, requested)
    if form in (Format.json, Format.csv):
        for line in ranking.said:
            report.note(line)
    if path is None:
        typer.echo(text(ranking, form, _width(), verbose))
        return
    whole = path.suffix == ".json"
    content = json.dumps(ranking.rows, indent=1) if whole else text(ranking, form, FILE_WIDTH, verbose)
    write_atomically(path, content + "\n")
    typer.echo(path)


def text(ranking: "Ranking", form: Format, width: int = FILE_WIDTH, verbose: bool = False) -> str:
    """The rows in one of the formats, without a final newline."""
    from icc_cli.ranking import text as terminal

    if form is Format.json:
        return render(ranking.rows, form)
    if form is Format.csv:
        return render([_flat(row) for row in ranking.rows], form)
    parts = []
    for part in ranking.parts:
        title = f"{part.name}: {part.title}" if part.name else part.title
        if form is Format.latex:
            parts.append("\n".join([*(f"% {one}" for one in part.said), latex(part.rows, title, part.symbols)]))
        elif form is Format.markdown:
            shown = title if len(ranking.parts) > 1 or part.said else ""
            parts.append(_markdown(part.rows, "\n\n".join(filter(None, (shown, *part.said)))))
        else:
            parts.append(terminal.table(part.rows, title, width, verbose, part.said))
    return "\n\n".join(parts)


def _width() -> int:
    return max(NARROWEST, shutil.get_terminal_size().columns)


def _destination(output: Path, requested: Format | None) -> tuple[Path, Format]:
    if output.suffix in SUFFIXES and not output.is_dir():
        form = SUFFIXES[output.suffix]
        if requested not in (None, form):
            raise UsageError(f"-o {output} and --format {requested} disagree.", "Leave --format out.")
        return output, form
    if re.fullmatch(r"\.[A-Za-z]+\d?", output.suffix) and not output.is_dir():
        raise UsageError(
            f"cannot write a ranking to {output}.", f"Name a file that ends in {', '.join(SUFFIXES)}, or a folder."
        )
    form = requested or Format.json
    suffix = next(suffix for suffix, known in SUFFIXES.items() if known is form)
    return output / f"rank{suffix}", form


def _flat(row: Row) -> Row:
    """Every number in a column of its own: `lr.psi`, `lr.groups`, `Psi_interval.low`."""
    flat: Row = {}
    for key, value in row.items():
        if key in ("places", "metrics"):
            flat |= value if key == "metrics" else {f"place.{name}": place for name, place in value.items()}
        elif key in ("values", "pair"):
            flat |= {f"{key}.{place}": one for place, one in zip(("first", "second"), value, strict=True)}
        elif key == "axes":
            for axis, numbers in value.items():
                flat |= {f"{axis}.{name}": number for name, number in _split(numbers).items()}
        else:
            flat |= _split({key: value})
    return flat


def _split(row: Row) -> Row:
    split: Row = {}
    for key, value in row.items():
        if key.endswith("interval") and not isinstance(value, str):
            split[f"{key}.low"], split[f"{key}.high"] = value or (None, None)
        else:
            split[key] = " ".join(map(str, value)) if isinstance(value, list) else value
    return split


def _markdown(rows: "tuple[Row, ...]", title: str) -> str:
    from icc_cli.ranking.cells import lines, unsure

    shown = lines(rows)
    head = list(dict.fromkeys(name for line in shown for name in line.head))
    axes = list(dict.fromkeys(name for line in shown for name in line.axes))
    table = [
        {**{name: line.head.get(name, "-") for name in head}, **{name: line.axes.get(name, "-") for name in axes}}
        for line in shown
    ]
    below = "".join(f"\n\n{note}" for note in unsure(rows)).replace("*", "\\*")
    return (f"{title}\n\n" if title else "") + render(table, Format.markdown) + below
