"""`icc rank`: how well each measure orders models by generalization."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from icc_cli.cli import _complete
from icc_cli.cli import _options as options
from icc_cli.cli._guard import EXIT_SOME_FAILED
from icc_cli.cli._rank_input import Asked, SideTables, directions_of, names_of, studies
from icc_cli.cli._rank_output import emit
from icc_cli.cli._report import Reporter


class Convention(StrEnum):
    paper = "paper"
    reference = "reference"


class Interval(StrEnum):
    across = "across"
    within = "within"


class Seeds(StrEnum):
    auto = "auto"
    within = "within"
    average = "average"


KENDALL = "Kendall's options"
MODELS = "The checkpoints themselves"


def rank(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Record files, folders of them, one table, or - (stdin)."),
    ],
    checkpoints: Annotated[
        bool,
        typer.Option(
            "--checkpoints",
            help="List the checkpoints, the one predicted to generalize best first.",
            rich_help_panel=MODELS,
        ),
    ] = False,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            autocompletion=_complete.measures,
            help="Measures that order the checkpoints. Default: the paper's.",
            rich_help_panel=MODELS,
        ),
    ] = None,
    pair: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Compare two checkpoints by each measure.", rich_help_panel=MODELS),
    ] = None,
    target: Annotated[
        str, typer.Option(metavar="NAME", help="test_accuracy, generalization_gap, or any column.")
    ] = "test_accuracy",
    measures: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            autocompletion=_complete.measures,
            help="Columns to rank; patterns such as 'c3@k=*' too. Default: ours.",
        ),
    ] = None,
    hparams: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Hyperparameters; needed for a table. Default: those of the records."),
    ] = None,
    direction: Annotated[
        list[str] | None, typer.Option(metavar="NAME=-1", help="-1 when a larger NAME predicts a smaller target.")
    ] = None,
    min_train_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Leave out models below this training accuracy.")
    ] = None,
    common: Annotated[bool, typer.Option("--common", help="Use only the models that have every measure.")] = False,
    controls: Annotated[
        bool,
        typer.Option("--controls/--no-controls", help="Rank trivial measures too: random, parameters, train_loss, ..."),
    ] = True,
    pool: Annotated[
        bool, typer.Option("--pool", help="One table for records of different data sets and architectures.")
    ] = False,
    score: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=_complete.scores,
            help="kendall (granulated), cmi (Jiang et al.), pgdl (the competition), sign-error (Dziugaite et al.), "
            "or file.py:function.",
        ),
    ] = "kendall",
    seeds: Annotated[
        Seeds, typer.Option(help="Keep seeds apart, average over them, or decide by how they repeat (auto).")
    ] = Seeds.auto,
    runs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Hyperparameters and results of each checkpoint: a table, or an export (W&B, MLflow, Optuna, ...).",
        ),
    ] = None,
    join: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A table with more measures of each checkpoint.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column of --runs and --join that names the checkpoint.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Columns of --runs that are results. Default: decided by their names."),
    ] = None,
    convention: Annotated[
        Convention | None,
        typer.Option(help="reference leaves pairs tied in both out of the count.", rich_help_panel=KENDALL),
    ] = None,
    interval: Annotated[
        Interval | None,
        typer.Option(
            help="What the interval of Psi is about: other studies (across, the default) or the same grid (within).",
            rich_help_panel=KENDALL,
        ),
    ] = None,
    given: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Rank with a measure or metric held fixed (partial ranking).", rich_help_panel=KENDALL
        ),
    ] = None,
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
    confidence: Annotated[
        float | None, typer.Option(min=0.5, max=0.9999, help="Confidence level of the intervals (0.95).")
    ] = None,
    bootstrap: Annotated[
        int | None, typer.Option(min=0, help="Resamples for intervals of the other scores, such as 2000.")
    ] = None,
    random_seed: Annotated[int | None, typer.Option(min=0, help="Seed of the resamples.")] = None,
    test_samples: Annotated[
        int | None,
        typer.Option(min=1, help="Number of test samples behind the target; weights the pairs of sign-error."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A file (.csv, .json, .jsonl, .md, .tex, .txt), or a folder for one."),
    ] = None,
    format: options.TableFormat = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show groups, pairs and ties in the table.")] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Rank models by each measure, and compare with the order of a target: the granulated Kendall table.

    An axis' psi is the mean, over the groups of models that differ in one hyperparameter alone, of Kendall's tau
    between measure and target; Psi is the mean of the axes. Without hyperparameters there is tau over all pairs.
    With --checkpoints, list the models themselves, in the order of their predicted generalization.
    """
    from icc_cli.ranking.rank import models_asked, ranking, scored_of, selected
    from icc_cli.ranking.resampling import bootstrap_of
    from icc_cli.ranking.sources.selection import Selection
    from icc_cli.ranking.study import Settings

    report = Reporter(quiet)
    if score == "kendall" and (bootstrap is not None or random_seed is not None):
        bootstrap_of(bootstrap or 0, confidence or 0.95, random_seed or 0)
        report.note("the intervals of the Kendall table need no resamples: --bootstrap and --random-seed do nothing.")
        bootstrap = random_seed = None
    asked = {
        "convention": convention and convention.value,
        "interval": interval and interval.value,
        "given": given,
        "versus": versus,
        "explain": explain,
        "confidence": confidence,
        "bootstrap": bootstrap,
        "random_seed": random_seed,
        "test_samples": test_samples,
    }
    wanted = models_asked(checkpoints, names_of(by), pair)
    selection = selected(Selection(target, names_of(hparams), names_of(measures), (given,) if given else ()), wanted)
    scored = scored_of(score, {name: value for name, value in asked.items() if value is not None}, wanted, selection)
    settings = Settings(directions_of(direction or []), min_train_accuracy, seeds.value, controls, common)
    side = SideTables(runs, join, key, names_of(metrics))
    made, failures = studies(inputs, Asked(selection, settings, side, pool, wanted is not None), report)
    found = ranking(made, scored)
    for line in found.notes:
        report.note(line)
    emit(found, format, output, verbose, report)
    if failures:
        raise typer.Exit(EXIT_SOME_FAILED)
