"""`icc sharpness`: checkpoints to records of 1/sigma' and 1/alpha'."""

from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icc_cli import __version__, records
from icc_cli.cli import _options as options
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import CHECKPOINT_SUFFIXES, Input, Outputs, each, expand, sharded
from icc_cli.cli._tables import chosen, render
from icc_cli.errors import CheckpointError, FormatError, UsageError
from icc_cli.files import write_atomically
from icc_cli.subject import DataRequest, DataShelf, ModelRequest, Normalisation, Request, Subject

if TYPE_CHECKING:
    from icc_cli.checkpoints import Checkpoint
    from icc_cli.data import Dataset
    from icc_cli.models.spec import ModelSpec
    from icc_cli.perturbation.estimate import Settings, Target

RECORD_SUFFIX = ".sharpness.json"
SEARCH = 2
"""Goes up when the default search gives other numbers, so that records of an older one are done again."""
BATCH = 512


class Method(StrEnum):
    sequential = "sequential"
    reference = "reference"


class BatchNorm(StrEnum):
    eval = "eval"
    batch = "batch"


def sharpness(
    inputs: Annotated[list[str], typer.Argument(metavar="CKPT...", help="Checkpoints, folders of them, or - (stdin).")],
    output: options.Output = None,
    mode: Annotated[
        str, typer.Option(help="random (1/sigma'), worst (1/alpha'), or both between a comma.")
    ] = "random,worst",
    target: Annotated[
        str, typer.Option(metavar="KIND:X", help="Accuracy to keep: accuracy:0.9, or drop:0.1 from the network's own.")
    ] = "accuracy:0.9",
    kernels_only: Annotated[
        bool, typer.Option("--kernels-only", help="Only 1/sigma'' and 1/alpha'', which perturb no bias or norm.")
    ] = False,
    bn: Annotated[
        BatchNorm | None,
        typer.Option(
            help="Batch norm's statistics: running (eval) or the batch's (batch). "
            "Default: eval for all weights, batch for kernels only.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        Method, typer.Option(help="The default search, or the authors' bisection (slow, no standard error).")
    ] = Method.sequential,
    tolerance: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Standard error to search to, as a share of the value.")
    ] = 0.05,
    max_samples: Annotated[
        int | None, typer.Option(min=1, help="Use so many training images, drawn at random.", show_default=False)
    ] = None,
    ascent_steps: Annotated[
        int, typer.Option(min=5, help="Steps of gradient ascent in 1/alpha' (the authors': 250).")
    ] = 250,
    seed: Annotated[int, typer.Option(help="Of all random numbers; each checkpoint's own derive from it.")] = 0,
    model: options.ModelSpec = None,
    model_arg: options.ModelArg = None,
    state_key: options.StateKey = None,
    unsafe_pickle: options.UnsafePickle = False,
    data: options.DataSpec = None,
    root: options.Root = Path("data"),
    download: options.Download = False,
    hierarchy: options.Hierarchy = None,
    per_class: options.PerClass = None,
    image_size: options.ImageSize = None,
    mean: options.Mean = None,
    std: options.Std = None,
    batch_size: options.BatchSize = None,
    device: options.Device = "auto",
    jobs: options.Jobs = None,
    shard: options.Shard = None,
    format: options.TableFormat = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Compute how sharp a minimum each checkpoint sits in: 1/m, m the largest perturbation of the weights, relative
    to their size, that keeps the training accuracy at its target.

    Without -o, prints a record (one JSON line) for each checkpoint, or a table on a terminal; with -o, writes
    one record file for each checkpoint and prints its path.
    """
    from icc_cli import resources
    from icc_cli.perturbation.estimate import Settings

    report = Reporter(quiet)
    settings = Settings(
        _target(target),
        method.value,
        _modes(mode),
        kernels_only,
        bn.value if bn else None,
        tolerance,
        seed,
        ascent_steps,
    )
    form = chosen(format)
    if output is not None and output.suffix in (".h5", ".csv") and not output.is_dir():
        raise UsageError(f"records are JSON, and cannot go to {output}.", "Name a folder or a .json file with -o.")
    outputs = Outputs(output, RECORD_SUFFIX) if output is not None else None
    processes = jobs or (max(1, len(resources.gpus())) if device in ("auto", "cuda") else 1)
    resources.share_threads(processes)
    rows: list[dict[str, Any]] = []

    def done(result: tuple[Path | None, records.Record]) -> None:
        path, record = result
        if path:
            typer.echo(path)
        elif form is options.Format.json:
            typer.echo(records.dumps(record))
        else:
            rows.append(_row(record))

    work = partial(
        _work,
        outputs=outputs,
        subject=(model, model_arg, state_key, unsafe_pickle),
        request=DataRequest(data, root, download, hierarchy, per_class, image_size, mean, std),
        shelf=DataShelf(),
        settings=settings,
        max_samples=max_samples,
        device=device,
        batch_size=batch_size or BATCH,
        force=force,
        report=Reporter(quiet or processes > 1),
    )
    try:
        each(sharded(expand(inputs, CHECKPOINT_SUFFIXES), shard, outputs), work, report, debug, done, processes)
    finally:
        if rows:
            typer.echo(render(rows, form))


def _work(
    item: Input,
    outputs: Outputs | None,
    subject: tuple[str | None, list[str] | None, str | None, bool],
    request: DataRequest,
    shelf: DataShelf,
    settings: "Settings",
    max_samples: int | None,
    device: str,
    batch_size: int,
    force: bool,
    report: Reporter,
) -> tuple[Path | None, records.Record]:
    """One checkpoint's record, and where it was written, in this process or a worker."""
    from icc_cli.extraction import resolve_device
    from icc_cli.resources import keep_freed_memory

    keep_freed_memory()
    model, model_arg, state_key, unsafe_pickle = subject
    path = outputs.path(item) if outputs else None
    asked = ModelRequest(model, tuple(model_arg or ()), state_key, unsafe_pickle)
    found = Request(asked, request, shelf).subject(item.path)
    checkpoint, spec, dataset = found.checkpoint, found.model, found.data
    normalisation = (found.normalisation.mean, found.normalisation.std)
    head = _head(checkpoint, spec, dataset, normalisation, settings, max_samples)
    record = _stored(path, head["content_key"]) if path and not force else None
    if record is not None:
        report.note(f"{path} is there already.")
        return path, record
    where = resolve_device(device)
    measured = _measure(checkpoint, spec, dataset, normalisation, settings, max_samples, where, batch_size, report)
    record = records.from_json({**head, **measured}, str(item.path))
    for note in record.notes:
        report.note(f"{item.path}: {note}.")
    if path:
        write_atomically(path, records.dumps(record) + "\n")
    return path, record


def _head(
    checkpoint: "Checkpoint",
    spec: "ModelSpec",
    dataset: "Dataset",
    normalisation: tuple[tuple[float, ...], tuple[float, ...]],
    settings: "Settings",
    max_samples: int | None,
) -> dict[str, Any]:
    """The record before anything is measured, with the key of all that the numbers depend on."""
    from icc_cli.cache import content_key

    head: dict[str, Any] = {
        "record": records.SHARPNESS,
        "version": records.VERSION,
        "checkpoint": checkpoint.path.name,
        "weights_sha256": checkpoint.weights_sha256,
        "model": {"spec": spec.spec, "args": spec.args},
        "data": {**dataset.described, "digest": dataset.digest},
        "hparams": checkpoint.hparams,
        "metrics": checkpoint.metrics,
        "epoch": checkpoint.epoch,
        "normalisation": {"mean": list(normalisation[0]), "std": list(normalisation[1])},
        "target": str(settings.target),
        "method": settings.method,
        "batch_norm": settings.bn or "default",
        "samples": min(max_samples or len(dataset.train), len(dataset.train)),
        "tolerance": settings.tolerance if settings.method == "sequential" else None,
        "ascent_steps": settings.ascent_steps,
        "seed": settings.seed,
    }
    key = content_key(head=head, settings=asdict(settings), search=SEARCH)
    return {**head, "generated-by": f"icc {__version__}", "content_key": key}


def _measure(
    checkpoint: "Checkpoint",
    spec: "ModelSpec",
    dataset: "Dataset",
    normalisation: tuple[tuple[float, ...], tuple[float, ...]],
    settings: "Settings",
    max_samples: int | None,
    device: Any,
    batch_size: int,
    report: Reporter,
) -> dict[str, Any]:
    """What the record of one checkpoint says besides its head."""
    from icc_cli.perturbation import samples
    from icc_cli.perturbation.sharpness import MEASURES, sharpness_on, wanted

    _, module = Subject(checkpoint, spec, dataset, Normalisation(*normalisation)).network()
    # The name and the data play no part in the seed: the same weights give the same numbers in any run.
    seed = f"{settings.seed}/{checkpoint.weights_sha256}"
    with report.progress(checkpoint.path.name, len(wanted(settings))) as advance:
        try:
            rows = samples.chosen(len(dataset.train), max_samples, settings.seed)
            split = samples.of_split(dataset.train, normalisation, device, rows)
            result = sharpness_on(module, split, settings, seed, batch_size, advance)
        except CheckpointError as error:
            raise CheckpointError(f"{checkpoint.path}: {error.message}", error.hint, error.details) from error
    details = {name: {**asdict(estimate), "bn": result.bn[name]} for name, estimate in result.estimates.items()}
    return {
        "train_accuracy": result.clean,
        "measures": {name: details[name]["inverse"] if name in details else None for name in MEASURES},
        "details": details,
        "device": str(device),
        "notes": result.notes,
    }


def _stored(path: Path, key: str) -> records.Record | None:
    """The record that is at `path` already, if its key is `key`."""
    if not path.exists():
        return None
    try:
        record = next(iter(records.read(path)))
    except FormatError:
        return None
    return record if record.content_key == key else None


def _row(record: records.Record) -> dict[str, Any]:
    cells: dict[str, Any] = {"checkpoint": record.checkpoint}
    details: Any = record.extra["details"]
    for name, value in record.measures.items():
        detail = details.get(name)
        if detail is not None:
            cells |= {name: value, f"{name} s.e.": detail["standard_error"], f"{name} outcome": detail["outcome"]}
    return cells


def _target(text: str) -> "Target":
    from icc_cli.perturbation.estimate import Target

    kind, _, value = text.partition(":")
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if kind not in ("accuracy", "drop") or not 0 < number < 1:
        raise UsageError(
            f"--target is accuracy:X or drop:X with X between 0 and 1, got {text!r}.", "The paper's is accuracy:0.9."
        )
    return Target(kind, number)


def _modes(text: str) -> tuple[str, ...]:
    modes = [part.strip() for part in text.split(",")]
    if unknown := [part for part in modes if part not in ("random", "worst")]:
        raise UsageError(f"--mode is random, worst or random,worst, got {unknown[0]!r}.")
    return tuple(name for name in ("random", "worst") if name in modes)
