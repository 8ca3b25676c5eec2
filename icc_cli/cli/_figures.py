"""What the figures' commands share: their options, the sets of models that they show, and where a figure goes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icc_cli.cli import _options as options
from icc_cli.cli._guard import EXIT_SOME_FAILED
from icc_cli.cli._rank_input import Asked, located, studies
from icc_cli.cli._report import Reporter
from icc_cli.cli._tables import render
from icc_cli.errors import UsageError
from icc_cli.files import write_atomically

if TYPE_CHECKING:
    from icc_cli.plots.figure import Figure, Given
    from icc_cli.plots.style import Drawing, Row
    from icc_cli.ranking.sources.sets import ModelSet, RecordSet
    from icc_cli.ranking.study import Study

Records = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Record files, folders of them, or - (stdin).")]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="A .pdf, .svg or .png. Default: the figure's name, as PDF."),
]
Numbers = Annotated[
    Path | None, typer.Option("--data", metavar="FILE.csv", help="Also write the numbers behind the figure.")
]
Target = Annotated[str, typer.Option(metavar="NAME", help="test_accuracy, generalization_gap, or any column.")]
LeastAccuracy = Annotated[
    float | None,
    typer.Option("--min-train-accuracy", min=0, max=1, help="Leave out models below this training accuracy."),
]
Runs = Annotated[
    Path | None,
    typer.Option("--runs", metavar="FILE", help="Hyperparameters and metrics by checkpoint, as for `icc rank`."),
]
Table = Annotated[
    list[str], typer.Argument(metavar="INPUT...", help="Record files, folders of them, one CSV table, or -.")
]
Measures = Annotated[
    str | None, typer.Option(metavar="A,B", help="Columns to show, as for `icc rank`. Default: all measures.")
]
Hparams = Annotated[
    str | None, typer.Option(metavar="A,B", help="Hyperparameters; needed for a table, as for `icc rank`.")
]
Direction = Annotated[list[str] | None, typer.Option(metavar="NAME=-1", help="As for `icc rank`.")]
Interval = Annotated[
    str,
    typer.Option(
        metavar="across|within",
        help="What the interval of Psi is about: other studies (across) or the same grid (within).",
    ),
]
Confidence = Annotated[float, typer.Option(min=0.5, max=0.9999, help="Confidence level of the intervals.")]
Controls = Annotated[bool, typer.Option("--controls/--no-controls", help="Also show what any measure has to beat.")]


@dataclass(frozen=True)
class Where:
    """The options -o and --data."""

    output: Path | None
    data: Path | None


def ranked(
    figure: "Figure", inputs: list[str], asked: Asked, where: Where, report: Reporter, shown: "Callable[[Given], Given]"
) -> "list[Row]":
    """Draw a figure of models with a target, and return its rows; `shown` adds the options to what a set gives."""
    from icc_cli.plots.figure import Given

    path = destination(where.output, figure.name)
    made, failures = studies(inputs, asked, report)
    rows: list[Row] = []
    for models, study in made.found:
        _say(study, models, len(made.found), report)
        rows += figure.rows(shown(Given(models, study)))
    write(rows, figure.draw, path, where.data, failures)
    return rows


def unranked(figure: "Figure", inputs: list[str], least: float | None, where: Where, report: Reporter) -> None:
    """Draw a figure of records, of models with a train accuracy of `least` or more."""
    from icc_cli.plots.figure import Given

    path = destination(where.output, figure.name)
    sets, failures = _record_sets(inputs, least, report)
    write([row for models in sets for row in figure.rows(Given(models))], figure.draw, path, where.data, failures)


def _say(study: "Study", models: "ModelSet", sets: int, report: Reporter) -> None:
    """What was converted, assumed or left out."""
    for line in (*study.notes, *study.merged):
        report.warn(f"{models.name}: {line}" if sets > 1 else line)


def _record_sets(inputs: list[str], least: float | None, report: Reporter) -> "tuple[list[RecordSet], int]":
    from icc_cli.ranking.sources.sets import record_sets
    from icc_cli.records import MEASURE

    found, failures = located(inputs, report)
    if least is not None:
        kept = [(where, one) for where, one in found if _number(one.metrics.get("train_accuracy")) >= least]
        report.note(f"{len(found) - len(kept)} of {len(found)} records are of models under {least:g}; left out.")
        found = kept
    sets = record_sets([item for item in found if item[1].kind == MEASURE])
    if not sets:
        raise UsageError("there is no measure record to plot.", "Give the records of `icc measure`.")
    return sets, failures


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def destination(output: Path | None, name: str) -> Path:
    """Where the figure goes; UsageError for a format that it cannot have, or when matplotlib is not there."""
    from icc_cli.plots.style import FORMATS, require

    require()
    path = output or Path(f"{name}.pdf")
    if path.is_dir():
        path = path / f"{name}.pdf"
    if path.suffix not in FORMATS:
        raise UsageError(f"cannot write a figure to {path}.", f"Name a file that ends in {', '.join(FORMATS)}.")
    return path


def write(
    rows: "list[Row]", draw: "Callable[[Sequence[Row]], Drawing]", path: Path, data: Path | None, failures: int
) -> None:
    if data is not None:
        if data.suffix != ".csv":
            raise UsageError(f"the numbers are CSV, and cannot go to {data}.", "Name a .csv file with --data.")
        write_atomically(data, render(rows, options.Format.csv) + "\n")
    draw(rows).save(path)
    typer.echo(path)
    if data is not None:
        typer.echo(data)
    if failures:
        raise typer.Exit(EXIT_SOME_FAILED)
