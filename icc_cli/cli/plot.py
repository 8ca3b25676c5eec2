"""`icc plot`: the paper's figures, from existing records and caches."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from icc_cli.cli import _options as options
from icc_cli.cli._figures import (
    Confidence,
    Controls,
    Direction,
    Hparams,
    Interval,
    LeastAccuracy,
    Measures,
    Numbers,
    Output,
    Records,
    Runs,
    Table,
    Target,
    Where,
    ranked,
    unranked,
)
from icc_cli.cli._guard import guarded
from icc_cli.cli._rank_input import Asked, SideTables, directions_of, names_of
from icc_cli.cli._report import Reporter
from icc_cli.cli.plot_neurons import neurons
from icc_cli.plots.figures import FIGURES


def _of_study(name: str, about: str) -> Callable[..., None]:
    """The command of a figure that a ranking's options are all for."""

    def command(
        inputs: Table,
        output: Output = None,
        data: Numbers = None,
        target: Target = "test_accuracy",
        measures: Measures = None,
        hparams: Hparams = None,
        direction: Direction = None,
        min_train_accuracy: LeastAccuracy = None,
        runs: Runs = None,
        interval: Interval = "across",
        confidence: Confidence = 0.95,
        controls: Controls = True,
        quiet: options.Quiet = False,
        debug: options.Debug = False,
    ) -> None:
        from icc_cli.plots.figures import figure

        asked = _asked(target, measures, hparams, direction, min_train_accuracy, controls, runs)
        shown = partial(replace, interval=interval, confidence=confidence)
        ranked(figure(name), inputs, asked, Where(output, data), Reporter(quiet), shown)

    command.__name__, command.__doc__ = name, about
    return command


def scatter(
    inputs: Table,
    output: Output = None,
    data: Numbers = None,
    target: Target = "test_accuracy",
    measures: Measures = None,
    hparams: Hparams = None,
    color: Annotated[
        str | None,
        typer.Option(
            metavar="HPARAM",
            help="Default: the one that explains most of the target; of few models, their names. `none` for none.",
        ),
    ] = None,
    direction: Direction = None,
    min_train_accuracy: LeastAccuracy = None,
    runs: Runs = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Each measure against test accuracy, with its Kendall coefficients (Figure 3)."""
    from icc_cli.plots.scatter import SCATTER

    asked = _asked(target, measures, hparams, direction, min_train_accuracy, False, runs)
    ranked(SCATTER, inputs, asked, Where(output, data), Reporter(quiet), partial(replace, colour=color))


def k(
    inputs: Records,
    output: Output = None,
    data: Numbers = None,
    target: Target = "test_accuracy",
    min_train_accuracy: LeastAccuracy = None,
    runs: Runs = None,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Confidence level of the bands.")] = 0.95,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Psi against k, for the measures over neurons (Figure 4). Needs `icc measure --all-k`.

    c1's k is multiplied by the number of subclasses of a class, as in the paper.
    """
    from icc_cli.plots.k_curves import MEASURES, K

    asked = _asked(target, ",".join(MEASURES), None, None, min_train_accuracy, False, runs)
    report = Reporter(quiet)
    rows = ranked(K, inputs, asked, Where(output, data), report, partial(replace, confidence=confidence))
    for name in dict.fromkeys(row["set"] for row in rows if row["measure"] == "c1" and row["subclasses"] is None):
        report.warn(f"the records of {name} do not say how many subclasses a class has; c1's k is plain.")


def sites(
    inputs: Records,
    output: Output = None,
    data: Numbers = None,
    min_train_accuracy: LeastAccuracy = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Each measure along the depth of the networks (Figure 5). Needs `icc measure --per-site`."""
    from icc_cli.plots.sites import SITES

    unranked(SITES, inputs, min_train_accuracy, Where(output, data), Reporter(quiet))


def training(
    inputs: Records,
    output: Output = None,
    data: Numbers = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """The measures and the accuracies along training, a line for each run (Figure 6).

    Takes the records of checkpoints that `icc train --save-epochs` saved, or any whose epoch is known.
    """
    from icc_cli.plots.along_training import TRAINING

    unranked(TRAINING, inputs, None, Where(output, data), Reporter(quiet))


def _asked(
    target: str,
    measures: str | None,
    hparams: str | None,
    direction: list[str] | None,
    least: float | None,
    controls: bool,
    runs: Path | None,
) -> Asked:
    from icc_cli.ranking.sources.selection import Selection
    from icc_cli.ranking.study import Settings

    selection = Selection(target, names_of(hparams), names_of(measures))
    return Asked(selection, Settings(directions_of(direction or []), least, controls=controls), SideTables(runs))


app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The paper's figures, from existing records and caches."
)
_OWN = {command.__name__: command for command in (scatter, k, sites, training)}
for _command in (*(_OWN.get(name) or _of_study(name, about) for name, (_, about) in FIGURES.items()), neurons):
    app.command()(guarded(_command))
