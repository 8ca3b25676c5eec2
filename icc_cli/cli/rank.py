"""`icc rank`: how well each measure orders models by generalization."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icc_cli.cli import _options as options
from icc_cli.cli._rank_input import STANDARD_INPUT, load, read_side_table
from icc_cli.cli._rank_output import emit
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import EXIT_SOME_FAILED
from icc_cli.errors import UsageError

if TYPE_CHECKING:
    from icc_cli.ranking.sources.selection import Selection
    from icc_cli.ranking.table import ModelTable


class Convention(StrEnum):
    paper = "paper"
    reference = "reference"


class Seeds(StrEnum):
    within = "within"
    average = "average"


Names = Annotated[str | None, typer.Option(metavar="A,B", show_default=False)]


def rank(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Record files, folders of them, one CSV table, or - (stdin)."),
    ],
    target: Annotated[
        str, typer.Option(metavar="NAME", help="test_accuracy, generalization_gap, or any column.")
    ] = "test_accuracy",
    measures: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Columns to rank; patterns such as 'c3@k=*' too. Default: ours."),
    ] = None,
    hparams: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Hyperparameters; needed for a table. Default: those of the records."),
    ] = None,
    direction: Annotated[
        list[str] | None, typer.Option(metavar="NAME=-1", help="-1 when a larger NAME predicts a smaller target.")
    ] = None,
    min_train_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Leave underfitted models out.")
    ] = None,
    convention: Annotated[
        Convention, typer.Option(help="reference leaves pairs tied in both out of the count.")
    ] = Convention.paper,
    seeds: Annotated[
        Seeds, typer.Option(help="Compare models within a seed, or average over seeds and replicates first.")
    ] = Seeds.within,
    runs: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Hyperparameters and metrics by checkpoint: CSV, JSON, W&B or MLflow."),
    ] = None,
    join: Annotated[
        Path | None, typer.Option(metavar="FILE", help="More measures by checkpoint, from a CSV or JSON table.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A file (.csv, .json, .jsonl, .md, .tex, .txt), or a folder for one."),
    ] = None,
    format: options.TableFormat = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Rank models by each measure, and compare with the order of a target: the granulated Kendall table.

    An axis' psi is the mean, over the groups of models that differ in one hyperparameter alone, of Kendall's tau
    between measure and target; Psi is the mean of the axes.
    """
    from icc_cli.ranking.directions import direction as expected
    from icc_cli.ranking.granulated import granulated
    from icc_cli.ranking.groups import axes_of
    from icc_cli.ranking.prepare import prepare
    from icc_cli.ranking.rows import granulated_rows
    from icc_cli.ranking.sources.selection import Selection, chosen_measures

    report = Reporter(quiet)
    chosen = _directions(direction or [])
    selection = Selection(target, _names(hparams), _names(measures))
    if inputs.count(STANDARD_INPUT) and sys.stdin.isatty():
        report.note("reading records, paths or a table from standard input.")
    table, failures = load(inputs, selection, report)
    table = _with_side_tables(table, selection, runs, join, report)
    names = chosen_measures([c for c in table.columns if c != target], selection)
    models, told = prepare(table, target, min_train_accuracy, seeds.value)
    for line in told:
        report.note(line)
    directions = [expected(name, target, chosen) for name in names]
    axes = axes_of(models)
    values = models.values[:, [models.columns.index(name) for name in names]] * directions
    result = granulated(values, models.column(target), axes, convention.value)
    rows = granulated_rows(result, names, directions, [axis.name for axis in axes])
    emit(rows, format, output, f"Granulated Kendall coefficients with {target}")
    if failures:
        raise typer.Exit(EXIT_SOME_FAILED)


def _with_side_tables(
    table: "ModelTable", selection: "Selection", runs: Path | None, join: Path | None, report: Reporter
) -> "ModelTable":
    """The table with what --runs and --join add, and the hyperparameters that --hparams names."""
    from icc_cli.ranking.prepare import only_hparams
    from icc_cli.ranking.sources.runs import read_runs, with_measures, with_runs

    told: list[str] = []
    if runs is not None:
        found = read_runs(read_side_table(runs), str(runs))
        table, told = with_runs(table, found, selection.target, selection.hparams, str(runs))
    if join is not None:
        table, more = with_measures(table, read_runs(read_side_table(join), str(join)), str(join))
        told += more
    for line in told:
        report.warn(line)
    return only_hparams(table, selection.hparams)


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError(f"expected names separated by commas, got {text!r}.")
    return names


def _directions(texts: list[str]) -> dict[str, int]:
    chosen = {}
    for text in texts:
        name, _, sign = text.rpartition("=")
        if not name or sign not in ("1", "+1", "-1"):
            raise UsageError(f"--direction {text!r} is not NAME=1 or NAME=-1.")
        chosen[name] = int(sign)
    return chosen
