"""How `icc rank` shows its rows: nested for JSON, one line a measure for the rest."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from icc_cli.cli._options import Format
from icc_cli.cli._rank_latex import latex
from icc_cli.cli._tables import Row, chosen, render
from icc_cli.errors import UsageError
from icc_cli.files import write_atomically

SUFFIXES = {
    ".csv": Format.csv,
    ".json": Format.json,
    ".jsonl": Format.json,
    ".md": Format.markdown,
    ".tex": Format.latex,
    ".txt": Format.table,
}
DIGITS = {Format.table: 6, Format.markdown: 4}
COUNTS = "below each value: groups / pairs / ties"


def emit(rows: Sequence[Row], requested: Format | None, output: Path | None, title: str) -> None:
    """Print `rows`, or write them to `output` and print its path. A .json file holds a list, the pipe lines."""
    if output is None:
        typer.echo(text(rows, chosen(requested), title))
        return
    path, form = _destination(output, requested)
    content = json.dumps(list(rows), indent=1) if path.suffix == ".json" else text(rows, form, title)
    write_atomically(path, content + "\n")
    typer.echo(path)


def text(rows: Sequence[Row], form: Format, title: str) -> str:
    """`rows` in one of the formats, without a final newline."""
    if form is Format.json:
        return render(rows, form)
    if form is Format.csv:
        return render([_flat(row) for row in rows], form)
    if form is Format.latex:
        return latex(rows, title.removesuffix(f"; {COUNTS}"))
    return render([_brief(row, form) for row in rows], form, title, DIGITS[form])


def _destination(output: Path, requested: Format | None) -> tuple[Path, Format]:
    if output.suffix in SUFFIXES and not output.is_dir():
        form = SUFFIXES[output.suffix]
        if requested not in (None, form):
            raise UsageError(f"-o {output} and --format {requested} disagree.", "Leave --format out.")
        return output, form
    form = requested or Format.json
    suffix = next(suffix for suffix, known in SUFFIXES.items() if known is form)
    return output / f"rank{suffix}", form


def _flat(row: Row) -> Row:
    """Every number in a column of its own: `lr.psi`, `lr.groups`, `Psi_interval.low`."""
    flat: Row = {}
    for key, value in row.items():
        if key == "axes":
            for axis, numbers in value.items():
                flat |= {f"{axis}.{name}": number for name, number in _split(numbers).items()}
        else:
            flat |= _split({key: value})
    return flat


def _split(row: Row) -> Row:
    split: Row = {}
    for key, value in row.items():
        if key.endswith("interval"):
            split[f"{key}.low"], split[f"{key}.high"] = value or (None, None)
        else:
            split[key] = " ".join(map(str, value)) if isinstance(value, list) else value
    return split


def _brief(row: Row, form: Format) -> Row:
    """What a person reads: the value of each axis, and on a terminal the counts and the interval below it."""
    brief: Row = {}
    for key, value in row.items():
        if key == "axes":
            for axis, numbers in value.items():
                brief[axis] = _cell(numbers, form)
        elif key.endswith("_interval"):
            name = key.removesuffix("_interval")
            brief[name] = _with_interval(brief[name], value, form)
        else:
            brief[key] = " ".join(map(str, value)) or "-" if isinstance(value, list) else value
    return brief


def _cell(numbers: dict[str, Any], form: Format) -> Any:
    value = next(iter(numbers.values()))
    shown = _with_interval(value, numbers["interval"], form) if "interval" in numbers else value
    if form is not Format.table or "groups" not in numbers:
        return shown
    first = "-" if shown is None else shown if isinstance(shown, str) else _number(shown, form)
    return f"{first}\n{numbers['groups']} / {numbers['pairs']} / {numbers['ties']}"


def _with_interval(value: Any, interval: Any, form: Format) -> Any:
    if value is None or interval is None:
        return value
    low, high = (_number(bound, form) for bound in interval)
    return f"{_number(value, form)} [{low}, {high}]"


def _number(value: float, form: Format) -> str:
    return f"{value:.{DIGITS[form]}f}"
