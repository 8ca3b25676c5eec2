"""`icc train`: a set of networks over a grid of hyperparameters."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from icc_cli.cli import _options as options
from icc_cli.cli._report import Reporter
from icc_cli.cli._tables import chosen, render
from icc_cli.errors import UsageError

FITTED = 0.99


def train(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the checkpoints.")] = Path("ckpts"),
    preset: Annotated[str | None, typer.Option(help="A built-in grid: smoke.")] = None,
    grid: Annotated[Path | None, typer.Option(metavar="TOML", help="A grid of your own.")] = None,
    model: Annotated[str | None, typer.Option(metavar="SPEC", help="Another network than the grid's.")] = None,
    data: options.DataSpec = None,
    root: options.Root = Path("data"),
    download: options.Download = False,
    hierarchy: options.Hierarchy = None,
    per_class: options.PerClass = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Train for so many, the schedule's drops moved in proportion.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Networks trained at once. Default: one a core, or one on a GPU.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Print the grid and train nothing.")] = False,
    device: options.Device = "auto",
    format: options.TableFormat = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train the networks of a grid, resuming where an earlier run was stopped.

    Prints the path of each checkpoint as it is completed; a table of results follows on stderr.
    """
    from icc_cli.training.grid import read, read_preset

    if (preset is None) == (grid is None):
        raise UsageError("name a grid: either --preset or --grid.", "For example: icc train --preset smoke.")
    chosen_grid = (read_preset(preset) if preset else read(grid or Path())).scaled(epochs)
    chosen_grid = replace(
        chosen_grid,
        model=model or chosen_grid.model,
        data=data or chosen_grid.data,
        per_class=per_class or chosen_grid.per_class,
    )
    configurations = chosen_grid.configurations()
    if listing:
        rows = [{"name": chosen_grid.name(hparams), **hparams} for hparams in configurations]
        typer.echo(render(rows, chosen(format)))
        return
    _train(chosen_grid, configurations, output, root, download, hierarchy, jobs, device, force, Reporter(quiet))


def _train(
    grid: Any,
    configurations: list[dict[str, Any]],
    output: Path,
    root: Path,
    download: bool,
    hierarchy: Path | None,
    jobs: int | None,
    device: str,
    force: bool,
    report: Reporter,
) -> None:
    from icc_cli.activations import resolve_device
    from icc_cli.data import DataSource, load
    from icc_cli.data.hierarchy import read_hierarchy
    from icc_cli.files import make_folder
    from icc_cli.models.spec import build
    from icc_cli.training.family import train_family
    from icc_cli.training.member import Member

    where = resolve_device(device)
    mapping = read_hierarchy(hierarchy) if hierarchy else None
    dataset = load(DataSource(grid.data, root, download, mapping, grid.per_class))
    make_folder(output)
    members = [Member(grid, hparams, output / f"{grid.name(hparams)}.pt") for hparams in configurations]
    build(members[0].spec(dataset))
    results: dict[Path, dict[str, Any]] = {}
    left = []
    for member in members:
        metrics = None if force else member.finished(dataset)
        if metrics is None:
            left.append(member)
        else:
            results[member.path] = metrics
            typer.echo(member.path)
    if results:
        report.note(f"{len(results)} of {len(members)} networks are there already.")
    jobs = jobs or (1 if where.type != "cpu" else len(os.sched_getaffinity(0)))
    with report.progress("training", len(left)) as advance:
        for member, metrics in train_family(left, dataset, str(where), jobs):
            results[member.path] = metrics
            typer.echo(member.path)
            advance(1)
    _summary([(member, results[member.path]) for member in members], report)


def _summary(results: list[tuple[Any, dict[str, Any]]], report: Reporter) -> None:
    rows = [
        {
            "network": member.path.stem,
            **{name: metrics.get(name) for name in ("train_accuracy", "test_accuracy", "train_loss", "outcome")},
        }
        for member, metrics in results
    ]
    report.note(f"{len(rows)} networks\n{render(rows, options.Format.table)}")
    unfitted = sum(row["train_accuracy"] < FITTED for row in rows)
    if unfitted:
        report.note(
            f"{unfitted} of {len(rows)} are under {FITTED} train accuracy; "
            f"`icc rank --min-train-accuracy {FITTED}` leaves them out."
        )
    diverged = sum(row["outcome"] == "diverged" for row in rows)
    if diverged:
        report.warn(f"{diverged} of {len(rows)} diverged: their weights hold NaN, and they cannot be extracted.")
