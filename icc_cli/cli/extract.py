"""`icc extract`: checkpoints to activation caches."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icc_cli.cli import _options as options
from icc_cli.cli._report import Reporter
from icc_cli.cli._run import CHECKPOINT_SUFFIXES, Input, Outputs, each, expand, sharded
from icc_cli.cli._subject import DataRequest, DataShelf, model_spec, network
from icc_cli.errors import CheckpointError

if TYPE_CHECKING:
    from icc_cli.checkpoints import Checkpoint
    from icc_cli.data import Dataset
    from icc_cli.extraction import Extraction
    from icc_cli.models.spec import ModelSpec

CHANCE_MARGIN = 1.5
ACCURACY_TOLERANCE = 0.01


class StoreDtype(StrEnum):
    float32 = "float32"
    float16 = "float16"


class Precision(StrEnum):
    float32 = "float32"
    bfloat16 = "bfloat16"


def extract(
    inputs: Annotated[list[str], typer.Argument(metavar="CKPT...", help="Checkpoints, folders of them, or - (stdin).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the caches, or one .h5 file.")] = Path(),
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
    activations: options.Activations = "relu",
    sites: options.Sites = None,
    exclude_sites: options.ExcludeSites = None,
    store_dtype: Annotated[StoreDtype, typer.Option(help="Type of the numbers in the cache.")] = StoreDtype.float32,
    precision: Annotated[
        Precision, typer.Option(help="Of the forward pass; bfloat16 (mixed) is faster where the hardware has it.")
    ] = Precision.float32,
    device: options.Device = "auto",
    jobs: options.Jobs = None,
    shard: options.Shard = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run each checkpoint over its training images and write every activation function's input to an HDF5 cache.

    A checkpoint that `icc train` saved needs no option. Any other needs --model and --data.
    Prints the path of each cache as it is completed.
    """
    from icc_cli import resources
    from icc_cli.extraction.functions import parse

    processes = jobs or (max(1, len(resources.gpus())) if device in ("auto", "cuda") else 1)
    resources.share_threads(processes)
    report = Reporter(quiet)
    outputs = Outputs(output, ".h5")
    work = partial(
        _work,
        outputs=outputs,
        subject=(model, model_arg, state_key, unsafe_pickle),
        request=DataRequest(data, root, download, hierarchy, per_class, image_size, mean, std),
        shelf=DataShelf(),
        device=device,
        how={
            "batch_size": batch_size,
            "store_dtype": store_dtype.value,
            "precision": precision.value,
            "activations": parse(activations),
            "include": tuple(sites or ()),
            "exclude": tuple(exclude_sites or ()),
        },
        force=force,
        report=Reporter(quiet or processes > 1),
    )
    each(sharded(expand(inputs, CHECKPOINT_SUFFIXES), shard, outputs), work, report, debug, typer.echo, processes)


def _work(
    item: Input,
    outputs: Outputs,
    subject: tuple[str | None, list[str] | None, str | None, bool],
    request: DataRequest,
    shelf: DataShelf,
    device: str,
    how: dict[str, Any],
    force: bool,
    report: Reporter,
) -> Path:
    """Extract one checkpoint, in this process or a worker; returns the path of its cache."""
    from icc_cli.checkpoints import read
    from icc_cli.extraction import Extraction, resolve_device
    from icc_cli.resources import keep_freed_memory

    keep_freed_memory()
    model, model_arg, state_key, unsafe_pickle = subject
    where = resolve_device(device)
    path = outputs.path(item)
    checkpoint = read(item.path, state_key, unsafe_pickle)
    spec = model_spec(checkpoint, model, model_arg)
    dataset = shelf.load(request.source(checkpoint))
    mean, std = request.normalisation(checkpoint, dataset)
    extraction = Extraction(where, mean=mean, std=std, **how)
    extract_one(checkpoint, spec, dataset, extraction, path, force=force, report=report)
    return path


def extract_one(
    checkpoint: "Checkpoint",
    spec: "ModelSpec",
    dataset: "Dataset",
    how: "Extraction",
    path: Path,
    *,
    force: bool,
    report: Reporter,
) -> None:
    """Write the cache of one checkpoint to `path`, unless it is there already."""
    from icc_cli.cache import content_key, stored_content_key
    from icc_cli.extraction import extract as run

    settings = {
        "model": {"spec": spec.spec, "args": spec.args},
        "data": {**dataset.described, "digest": dataset.digest},
        "normalisation": {"mean": list(how.mean), "std": list(how.std)},
        "activations": list(how.activations),
        "sites": {"include": list(how.include), "exclude": list(how.exclude)},
        "dtype": how.precision,
        "store_dtype": how.store_dtype,
    }
    key = content_key(weights=checkpoint.weights_sha256, name=checkpoint.path.name, **settings)
    if not force and path.exists() and stored_content_key(path) == key:
        report.note(f"{path} is there already.")
        return

    spec, module = network(checkpoint, spec)
    settings["model"] = {"spec": spec.spec, "args": spec.args}

    def metadata(measured: dict[str, float]) -> dict[str, Any]:
        import torch

        return {
            "checkpoint": checkpoint.path.name,
            "weights_sha256": checkpoint.weights_sha256,
            "hparams": checkpoint.hparams,
            "metrics": {**measured, **checkpoint.metrics},
            "epoch": checkpoint.epoch,
            "measured": measured,
            "label_names": list(dataset.label_names),
            "sublabel_names": list(dataset.sublabel_names),
            "torch": torch.__version__,
            "device": str(how.device),
            **settings,
        }

    total = len(dataset.train) + (len(dataset.test) if dataset.test is not None else 0)
    with report.progress(checkpoint.path.name, total) as advance:
        try:
            measured = run(module, dataset.train, dataset.test, path, how, key, metadata, advance, report.note)
        except CheckpointError as error:
            raise CheckpointError(f"{checkpoint.path}: {error.message}", error.hint, error.details) from error
    _warn(checkpoint, dataset, measured, report)


def _warn(checkpoint: "Checkpoint", dataset: "Dataset", measured: dict[str, float], report: Reporter) -> None:
    """Say what looks like the wrong data or normalisation."""
    accuracy = measured["train_accuracy"]
    recorded = checkpoint.metrics.get("train_accuracy")
    known = isinstance(recorded, float) and abs(recorded - accuracy) <= ACCURACY_TOLERANCE
    if accuracy < CHANCE_MARGIN / dataset.num_classes and not known:
        report.warn(
            f"{checkpoint.path}: train accuracy is {accuracy:.3f}, near chance for {dataset.num_classes} classes; "
            "are --data, its labels and --mean/--std the ones it was trained with?"
        )
    if isinstance(recorded, float) and not known:
        report.warn(
            f"{checkpoint.path}: train accuracy is {accuracy:.3f} here and {recorded:.3f} in the checkpoint; "
            "another normalisation or another training set would explain it."
        )
    if checkpoint.data and checkpoint.data.get("digest") not in (None, dataset.digest):
        report.warn(f"{checkpoint.path} was trained on other images or labels than {dataset.spec} holds now.")
