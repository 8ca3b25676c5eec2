"""`icc plot`: the paper's figures, from records and caches that are there already."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icc_cli.cli import _options as options
from icc_cli.cli._rank_input import Asked, SideTables, directions_of, located, names_of, studies
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import CACHE_SUFFIXES, EXIT_SOME_FAILED, Input, expand
from icc_cli.cli._tables import render
from icc_cli.errors import UsageError
from icc_cli.files import write_atomically

if TYPE_CHECKING:
    from icc_cli.cache.read import Cache
    from icc_cli.data import Dataset
    from icc_cli.plots.style import Drawing, Row
    from icc_cli.ranking.sources.sets import ModelSet, RecordSet
    from icc_cli.ranking.study import Study

Records = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Record files, folders of them, or - (stdin).")]
Figure = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="A .pdf, .svg or .png. Default: the figure's name, as PDF."),
]
Numbers = Annotated[Path | None, typer.Option("--data", metavar="FILE.csv", help="The numbers behind the figure too.")]
Target = Annotated[str, typer.Option(metavar="NAME", help="test_accuracy, generalization_gap, or any column.")]
LeastAccuracy = Annotated[
    float | None, typer.Option("--min-train-accuracy", min=0, max=1, help="Leave underfitted models out.")
]
Runs = Annotated[
    Path | None,
    typer.Option("--runs", metavar="FILE", help="Hyperparameters and metrics by checkpoint, as for `icc rank`."),
]


def scatter(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Record files, folders of them, one CSV table, or -.")
    ],
    output: Figure = None,
    data: Numbers = None,
    target: Target = "test_accuracy",
    measures: Annotated[
        str | None, typer.Option(metavar="A,B", help="Columns to show, as for `icc rank`. Default: ours.")
    ] = None,
    hparams: Annotated[
        str | None, typer.Option(metavar="A,B", help="Hyperparameters; needed for a table, as for `icc rank`.")
    ] = None,
    color: Annotated[
        str | None,
        typer.Option(metavar="HPARAM", help="Default: the one that explains most of the target. `none` for none."),
    ] = None,
    direction: Annotated[list[str] | None, typer.Option(metavar="NAME=-1", help="As for `icc rank`.")] = None,
    min_train_accuracy: LeastAccuracy = None,
    runs: Runs = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Each measure against test accuracy, with its Kendall coefficients (Figure 3)."""
    from icc_cli.plots import scatter as figure
    from icc_cli.ranking.names import suggestion
    from icc_cli.ranking.sources.selection import Selection
    from icc_cli.ranking.study import Settings

    report, path = Reporter(quiet), _destination(output, "scatter")
    selection = Selection(target, names_of(hparams), names_of(measures))
    settings = Settings(directions_of(direction or []), min_train_accuracy, controls=False)
    made, failures = studies(inputs, Asked(selection, settings, SideTables(runs)), report)
    rows: list[Row] = []
    for models, study in made.found:
        _say(study, models, len(made.found), report)
        if color is not None and color not in ("none", *study.runs.hparams):
            raise UsageError(f"there is no hyperparameter {color!r}.", suggestion(color, study.runs.hparams))
        colour = None if color == "none" else color or figure.telling(study)
        rows += figure.rows(study, colour, models.name)
    if color is None and len({row["colour"] for row in rows}) > 1:
        # One legend for all the panels.
        rows = [{**row, "colour": None, "level": None} for row in rows]
    _write(rows, figure.draw, path, data, failures)


def k(
    inputs: Records,
    output: Figure = None,
    data: Numbers = None,
    target: Target = "test_accuracy",
    min_train_accuracy: LeastAccuracy = None,
    runs: Runs = None,
    bootstrap: Annotated[int, typer.Option(min=100, hidden=True, help="The bands need no resamples.")] = 2000,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Of the bands.")] = 0.95,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """The granulated Kendall coefficient of c1 and c3 against k (Figure 4). Needs `icc measure --all-k`.

    c1's k is multiplied by the number of subclasses of a class, as in the paper.
    """
    from icc_cli.plots import k_curves as figure
    from icc_cli.ranking.sources.selection import Selection
    from icc_cli.ranking.study import Settings

    report, path = Reporter(quiet), _destination(output, "k")
    selection = Selection(target, measures=figure.MEASURES)
    settings = Settings({}, min_train_accuracy, controls=False)
    made, failures = studies(inputs, Asked(selection, settings, SideTables(runs)), report)
    rows: list[Row] = []
    for models, study in made.found:
        _say(study, models, len(made.found), report)
        rows += figure.rows(models, study, confidence)
        if figure.subclasses_per_class(models) is None and any(row["measure"] == "c1" for row in rows):
            report.warn(f"the records of {models.name} do not say how many subclasses a class has; c1's k is plain.")
    _write(rows, figure.draw, path, data, failures)


def sites(
    inputs: Records,
    output: Figure = None,
    data: Numbers = None,
    min_train_accuracy: LeastAccuracy = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Each measure along the depth of the networks (Figure 5). Needs `icc measure --per-site`."""
    from icc_cli.plots import sites as figure

    path = _destination(output, "sites")
    sets, failures = _record_sets(inputs, min_train_accuracy, Reporter(quiet))
    _write([row for models in sets for row in figure.rows(models)], figure.draw, path, data, failures)


def training(
    inputs: Records,
    output: Figure = None,
    data: Numbers = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """The measures and the accuracies along training, a line for each run (Figure 6).

    Takes the records of checkpoints that `icc train --save-epochs` saved, or any whose epoch is known.
    """
    from icc_cli.plots import along_training as figure

    path = _destination(output, "training")
    sets, failures = _record_sets(inputs, None, Reporter(quiet))
    _write([row for models in sets for row in figure.rows(models)], figure.draw, path, data, failures)


def neurons(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="CACHE...", help="A cache, or several of one network along its training (a folder)."),
    ],
    output: Figure = None,
    data: Numbers = None,
    neuron: Annotated[
        list[str] | None,
        typer.Option(metavar="SITE:N", help="Neuron N (from 0) of a site; repeat it. Default: the most selective."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this class or subclass (name or number); repeat it.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=8, help="How many neurons for each of c3 and c1.")] = 3,
    images: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC", help="Show the images that activate each neuron most, from this data; auto: the cache's."
        ),
    ] = None,
    root: options.Root = Path("data"),
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Pre-activations of single neurons: a class in the data set, a subclass in its class (Figures 2 and 7).

    By default the neurons with the highest sigma_class / sigma_data (c3) and selectivity (c1). Several caches show
    the neurons that are the most selective in the last one (by epoch) along training.
    """
    from icc_cli.plots import neurons as figure

    path = _destination(output, "neurons")
    items = list(expand(inputs, CACHE_SUFFIXES))
    with contextlib.ExitStack() as stack:
        caches = _caches(items, stack)
        last = caches[-1]
        groups = figure.groups_of(last, label)
        if neuron:
            chosen = [one for text in neuron for one in figure.best_groups(last, *_neuron(text), groups)]
        else:
            chosen = figure.most_selective(last, groups, count)
        rows: list[Row] = []
        for cache, name in zip(caches, _cache_names(caches), strict=True):
            found = figure.shown(cache, chosen)
            rows += figure.rows(cache, name, found)
        sheets = None
        if images:
            dataset = _images(last, images, root)
            ids = last.sample_id
            sheets = {key: dataset.train.take(ids[best]).images[:] for key, best in figure.sheet_rows(found).items()}
        _write(rows, lambda found: figure.draw(found, sheets), path, data, 0)


app = typer.Typer(no_args_is_help=True, help="The paper's figures, from records and caches that are there already.")
FIGURES = (scatter, k, sites, training, neurons)


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
        report.note(f"{len(found) - len(kept)} of {len(found)} records are of models under {least:g}, and left out.")
        found = kept
    sets = record_sets([item for item in found if item[1].kind == MEASURE])
    if not sets:
        raise UsageError("there is no measure record to plot.", "Give the records of `icc measure`.")
    return sets, failures


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _caches(items: Sequence[Input], stack: contextlib.ExitStack) -> "list[Cache]":
    """The caches, open, in the order of their epochs where they have one."""
    from icc_cli.cache import open_cache

    for item in items:
        if not item.path.exists():
            raise UsageError(f"there is no file {item.path}.")
    caches = [stack.enter_context(open_cache(item.path)) for item in items]
    if not caches:
        raise UsageError("there is no input.", "Name caches, or folders of them.")
    if all(isinstance(cache.metadata.get("epoch"), int) for cache in caches):
        caches.sort(key=lambda cache: cache.metadata["epoch"])
    return caches


def _cache_names(caches: "Sequence[Cache]") -> list[str]:
    epochs = [cache.metadata.get("epoch") for cache in caches]
    if len(set(epochs)) == len(caches) and None not in epochs:
        return [f"epoch {epoch}" for epoch in epochs]
    return [str(cache.metadata.get("checkpoint") or cache.path.name) for cache in caches]


def _images(cache: "Cache", spec: str, root: Path) -> "Dataset":
    from icc_cli.data import DataSource, load

    known = cache.metadata.get("data") or {}
    if spec == "auto" and not known.get("spec"):
        raise UsageError(f"{cache.path} does not say which data it is of.", "Name them with --images.")
    spec = str(known["spec"]) if spec == "auto" else spec
    source = DataSource(spec, root, False, known.get("hierarchy"), known.get("per_class"), known.get("image_size"))
    dataset = load(source)
    if known.get("digest") not in (None, dataset.digest):
        raise UsageError(
            f"{source.spec} holds other images or labels than {cache.path} was taken on.",
            "Name the same data with --images.",
        )
    return dataset


def _neuron(text: str) -> tuple[str, int]:
    site, _, number = text.rpartition(":")
    if not site or not number.isdigit():
        raise UsageError(f"--neuron {text!r} is not SITE:N.", "`icc inspect` lists a cache's sites.")
    return site, int(number)


def _destination(output: Path | None, name: str) -> Path:
    """Where the figure goes; UsageError for a format that it cannot have, or when matplotlib is not there."""
    from icc_cli.plots.style import FORMATS, require

    require()
    path = output or Path(f"{name}.pdf")
    if path.is_dir():
        path = path / f"{name}.pdf"
    if path.suffix not in FORMATS:
        raise UsageError(f"cannot write a figure to {path}.", f"Name a file that ends in {', '.join(FORMATS)}.")
    return path


def _write(
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
