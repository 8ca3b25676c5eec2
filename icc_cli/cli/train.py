"""`icc train`: a set of networks over a grid of hyperparameters."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icc_cli.cli import _complete
from icc_cli.cli import _options as options
from icc_cli.cli._guard import EXIT_SOME_FAILED
from icc_cli.cli._report import Reporter
from icc_cli.errors import IccError, OutputError, UsageError

if TYPE_CHECKING:
    from icc_cli.data import Dataset
    from icc_cli.training.grid import Grid
    from icc_cli.training.task import Result, Task

SCALE: dict[str, Any] = {"rich_help_panel": "Scale (recorded in every checkpoint)"}


def train(
    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            "--grid",
            metavar="NAME|FILE.toml",
            help="A preset, or a grid.",
            autocompletion=_complete.presets,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the checkpoints.")] = Path("ckpts"),
    list_only: Annotated[
        bool, typer.Option("--list", help="Print the grid's configurations without training.")
    ] = False,
    form: options.TableFormat = None,
    model: options.ModelSpec = None,
    model_arg: options.ModelArg = None,
    data: options.DataSpec = None,
    root: options.Root = Path("data"),
    download: options.Download = False,
    hierarchy: options.Hierarchy = None,
    level: options.Level = None,
    per_class: options.PerClass = None,
    image_size: options.ImageSize = None,
    mean: options.Mean = None,
    std: options.Std = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs; the learning rate's drops move in proportion.", **SCALE)
    ] = None,
    base_width: Annotated[
        int | None, typer.Option(min=1, help="Feature maps of the first stage at width 1.", **SCALE)
    ] = None,
    save_epochs: Annotated[
        str, typer.Option(metavar="1,2,5", help="Save these epochs (0: untrained) too, in OUTPUT-epochs.")
    ] = "",
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Networks to train at once. Default: one per core; 4 per GPU.")
    ] = None,
    device: options.Device = "auto",
    precision: Annotated[str, typer.Option(help="float32, bfloat16 (mixed); auto takes bfloat16 on a GPU.")] = "auto",
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train the networks of a preset (smoke, cifar10-vgg, cifar100-wrn, cifar100-coarse-wrn) or of a TOML grid.

    Prints the path of each checkpoint as it is completed. The same command goes on from where it was stopped.
    """
    from icc_cli.training import grid as grids

    grid = _scaled(grids.load(preset), model, model_arg, epochs, base_width)
    if list_only:
        from icc_cli.cli._tables import chosen, render

        typer.echo(render([dict(row) for row in grid.configurations], chosen(form), f"{grid.name}"))
        return
    if precision not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"unknown precision {precision!r}.", "Expected auto, float32 or bfloat16.")

    from icc_cli.data import load
    from icc_cli.data.hierarchy import read_hierarchy
    from icc_cli.data.source import DataSource
    from icc_cli.extraction import resolve_device
    from icc_cli.training.task import tasks

    report = Reporter(quiet)
    where = resolve_device(device)
    spec = data or grid.data.get("spec")
    if not spec:
        raise UsageError(f"the grid {preset} names no data.", "Name them with --data.")
    same_data = data is None or data == grid.data.get("spec")
    per_class = per_class or (grid.data.get("per_class") if same_data else None)
    image_size = image_size or (grid.data.get("image_size") if same_data else None)
    mapping = read_hierarchy(hierarchy, level) if hierarchy else None
    dataset = load(DataSource(spec, root, download, mapping, per_class, image_size))
    pixel_mean, pixel_std = _normalisation(dataset, mean, std)
    bfloat16 = precision == "bfloat16" or (precision == "auto" and where.type == "cuda")
    work = tasks(grid, dataset, pixel_mean, pixel_std, output, bfloat16, _epochs(save_epochs))
    _train(work, dataset, where, jobs, force, report)


def _scaled(
    grid: "Grid", model: str | None, model_arg: list[str] | None, epochs: int | None, base_width: int | None
) -> "Grid":
    from icc_cli.models import parse

    if model is not None:
        spec = parse(model, model_arg or [])
        grid = replace(grid, model=spec.spec, model_args=spec.args)
    elif model_arg:
        grid = replace(grid, model_args={**grid.model_args, **parse(grid.model, model_arg).args})
    if epochs is not None:
        grid = grid.scaled(epochs)
    if base_width is not None:
        grid = replace(grid, model_args={**grid.model_args, "base_width": base_width})
    return grid


def _normalisation(
    dataset: "Dataset", mean: str | None, std: str | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from icc_cli.checkpoints import Checkpoint
    from icc_cli.subject import DataRequest

    request = DataRequest(dataset.spec, Path(), False, None, None, None, mean, std)
    found = request.normalisation(Checkpoint(Path(), {}, ""), dataset)
    return found.mean, found.std


def _epochs(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part)
    except ValueError as error:
        raise UsageError(f"--save-epochs must be whole numbers separated by commas, got {text!r}.") from error


def _train(
    work: "list[Task]", dataset: "Dataset", device: Any, jobs: int | None, force: bool, report: Reporter
) -> None:
    from icc_cli import resources
    from icc_cli.files import make_folder
    from icc_cli.training.run import finished, forget
    from icc_cli.training.workers import check_room, run_all

    make_folder(work[0].folder)
    results: dict[str, Result] = {}
    for task in work:
        if force:
            forget(task)
        elif (result := finished(task)) is not None:
            results[task.name] = result
            if result.path:
                typer.echo(result.path)
    left = [task for task in work if task.name not in results]
    if results:
        report.note(f"{len(results)} of {len(work)} networks are up to date; skipped (--force to redo).")
    if left:
        jobs = jobs or (4 if device.type == "cuda" else resources.cpus())
        check_room(left, dataset, device, jobs)
        failures = 0
        with report.progress(f"training {len(left)} networks", sum(_cost(task) for task in left)) as advance:
            done: dict[str, int] = {}

            def on_epoch(task: "Task", epoch: int, loss: float) -> None:
                amount = _cost(task) * (epoch - done.get(task.name, 0)) / task.recipe.epochs
                advance(amount, f"{task.name} epoch {epoch}/{task.recipe.epochs}, loss {loss:.3g}")
                done[task.name] = epoch

            for task, outcome in run_all(left, dataset, device, jobs, on_epoch):
                advance(_cost(task) * (1 - done.get(task.name, 0) / task.recipe.epochs))
                if isinstance(outcome, OutputError):
                    raise outcome  # the next one could not be written either
                if isinstance(outcome, IccError):
                    report.error(outcome)
                    failures += 1
                else:
                    results[task.name] = outcome
                    _tell(task, outcome, f"{len(results)}/{len(work)}", report)
        if failures:
            report.warn(f"{failures} of {len(work)} networks were not trained; the others are done.")
    if not report.quiet:
        _table(work, results, report)
    if len(results) < len(work):
        raise typer.Exit(EXIT_SOME_FAILED)


def _cost(task: "Task") -> float:
    """Relative time that a network takes, for the estimate of the time left."""
    width, depth = task.hparams.get("width", 1), task.hparams.get("depth", 1)
    return task.recipe.epochs * (float(width) * float(depth) if isinstance(width, float) else 1.0)


def _tell(task: "Task", result: "Result", count: str, report: Reporter) -> None:
    metrics = result.metrics
    if result.path is None:
        report.warn(f"{count} {task.name} diverged in epoch {result.epoch}; it has no checkpoint.")
        return
    typer.echo(result.path)
    test = f", test {metrics['test_accuracy']:.3f}" if "test_accuracy" in metrics else ""
    unfitted = "" if result.fitted else " (not fitted)"
    report.note(
        f"{count} {task.name}: train {metrics['train_accuracy']:.3f}{test}{unfitted},"
        f" {result.epoch} epochs, {metrics['seconds']:.0f} s"
    )


def _table(work: "list[Task]", results: "dict[str, Result]", report: Reporter) -> None:
    from icc_cli.cli._options import Format
    from icc_cli.cli._tables import render

    shown = ("train_accuracy", "test_accuracy", "train_loss", "seconds")
    rows = []
    for task in work:
        if task.name in results:
            result = results[task.name]
            state = "diverged" if result.path is None else "fitted" if result.fitted else "not fitted"
            values = {key: result.metrics.get(key) for key in shown}
            rows.append({"network": task.name, **values, "epochs": result.epoch, "state": state})
    if rows:
        typer.echo(render(rows, Format.table), err=True)
    if unfitted := sum(row["state"] == "not fitted" for row in rows):
        report.note(f"{unfitted} of {len(rows)} are not fitted; `icc rank --min-train-accuracy 0.99` leaves them out.")
