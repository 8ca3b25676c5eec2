"""`icc rank`: how well each measure orders models by generalization."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icc_cli.cli import _options as options
from icc_cli.cli._rank_input import directions_of, load, names_of, read_side_table
from icc_cli.cli._rank_output import emit
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import EXIT_SOME_FAILED

if TYPE_CHECKING:
    from icc_cli.ranking.sources.selection import Selection
    from icc_cli.ranking.table import ModelTable


class Convention(StrEnum):
    paper = "paper"
    reference = "reference"


class Score(StrEnum):
    kendall = "kendall"
    cmi = "cmi"
    pgdl = "pgdl"
    sign_error = "sign-error"


class Seeds(StrEnum):
    within = "within"
    average = "average"


KENDALL = "Kendall's options"


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
    score: Annotated[
        Score,
        typer.Option(help="Granulated Kendall, Jiang's conditional mutual information, PGDL's, or Dziugaite's."),
    ] = Score.kendall,
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
    convention: Annotated[
        Convention,
        typer.Option(help="reference leaves pairs tied in both out of the count.", rich_help_panel=KENDALL),
    ] = Convention.paper,
    given: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Hold a measure or metric fixed: partial ranking.", rich_help_panel=KENDALL),
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples for intervals, such as 2000.")] = 0,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Of the intervals.")] = 0.95,
    random_seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    versus: Annotated[
        str | None,
        typer.Option(
            metavar="MEASURE", help="Print each measure's lead over this one instead.", rich_help_panel=KENDALL
        ),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(metavar="MEASURE:AXIS", help="Print each group's tau instead.", rich_help_panel=KENDALL),
    ] = None,
    test_samples: Annotated[
        int, typer.Option(min=1, help="Test samples behind the target; weights the pairs of sign-error.")
    ] = 10_000,
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
    from icc_cli.cli._rank_scores import Options, Subject, kendall_rows, score_rows
    from icc_cli.ranking.directions import direction as expected
    from icc_cli.ranking.groups import axes_of
    from icc_cli.ranking.prepare import prepare
    from icc_cli.ranking.sources.selection import Selection, chosen_measures

    report = Reporter(quiet)
    chosen = directions_of(direction or [])
    kendall = Options(convention.value, given, bootstrap, confidence, random_seed, versus, explain)
    if score is not Score.kendall:
        kendall.refuse_with(score.value)
    selection = Selection(target, names_of(hparams), names_of(measures), (given,) if given else ())
    table, failures = load(inputs, selection, report)
    table = _with_side_tables(table, selection, runs, join, report)
    names = chosen_measures([c for c in table.columns if c not in (target, given)], selection)
    models, told = prepare(table, target, min_train_accuracy, seeds.value)
    for line in told:
        report.note(line)
    directions = [expected(name, target, chosen) for name in names]
    values = models.values[:, [models.columns.index(name) for name in names]]
    values *= directions
    subject = Subject(models, target, names, directions, values, axes_of(models))
    if score is Score.kendall:
        rows, title, notes = kendall_rows(subject, kendall)
    else:
        rows, title, notes = score_rows(subject, score.value, test_samples, kendall)
    for line in notes:
        report.note(line)
    emit(rows, format, output, title)
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
