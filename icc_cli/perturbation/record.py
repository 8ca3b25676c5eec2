"""The record of one checkpoint's sharpness, and the key of all that it depends on."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from icc_cli import __version__, records
from icc_cli.cache import content_key
from icc_cli.errors import CheckpointError, UsageError
from icc_cli.perturbation.estimate import Settings
from icc_cli.records import Record
from icc_cli.resources import check_memory
from icc_cli.shapes import JsonObject
from icc_cli.subject import Subject

if TYPE_CHECKING:
    import torch

    from icc_cli.perturbation.sharpness import Sharpness

NUMERICS = 2
"""Of the default search: raised when it gives other numbers, so that records of an older one are made again."""


def key_of(subject: Subject, settings: Settings) -> str:
    """The content key of the record that `record_of` makes."""
    plain = asdict(settings)
    del plain["max_samples"]  # the head says how many samples that comes to
    return content_key(head=_head(subject, settings), settings=plain, search=NUMERICS)


def record_of(
    subject: Subject,
    settings: Settings,
    device: "torch.device",
    batch_size: int,
    progress: Callable[[int], None] = lambda measures: None,
) -> Record:
    """The record of `subject`. CheckpointError, naming the file, when the network does not take the data."""
    from icc_cli.perturbation.samples import chosen, of_split
    from icc_cli.perturbation.sharpness import bytes_of, seed_of, sharpness_on

    checkpoint, data = subject.checkpoint, subject.data
    _, network = subject.network()
    rows = chosen(len(data.train), settings.max_samples, settings.seed)
    needed = bytes_of(network, data.train, len(rows), settings) if device.type == "cpu" else 0
    check_memory(needed, f"{checkpoint.path}: the search", UsageError, "Take fewer samples with --max-samples.")
    samples = of_split(data.train, subject.normalisation, device, rows)
    seed = seed_of(settings, checkpoint.weights_sha256)
    try:
        result = sharpness_on(network, samples, settings, seed, batch_size, progress)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint.path}: {error.message}", error.hint, error.details) from error
    content = {
        **_head(subject, settings),
        **_found(result),
        "device": str(device),
        "generated-by": f"icc {__version__}",
        "content_key": key_of(subject, settings),
    }
    return records.from_json(content, str(checkpoint.path))


def _head(subject: Subject, settings: Settings) -> JsonObject:
    """The record before anything is measured."""
    checkpoint, data, normalisation = subject.checkpoint, subject.data, subject.normalisation
    return {
        "record": records.SHARPNESS,
        "version": records.VERSION,
        "checkpoint": checkpoint.name,
        "weights_sha256": checkpoint.weights_sha256,
        "model": {"spec": subject.model.spec, "args": subject.model.args},
        "data": {**data.described, "digest": data.digest},
        "hparams": checkpoint.hparams,
        "metrics": checkpoint.metrics,
        "epoch": checkpoint.epoch,
        "normalisation": {"mean": list(normalisation.mean), "std": list(normalisation.std)}
        if normalisation.mean
        else None,
        "target": str(settings.target),
        "method": settings.method,
        "batch_norm": settings.bn or "default",
        "samples": min(settings.max_samples or len(data.train), len(data.train)),
        "tolerance": settings.tolerance if settings.method == "sequential" else None,
        "ascent_steps": settings.ascent_steps,
        "seed": settings.seed,
    }


def _found(result: "Sharpness") -> JsonObject:
    details = {name: {**asdict(estimate), "bn": result.bn[name]} for name, estimate in result.estimates.items()}
    return {"train_accuracy": result.clean, "measures": result.measures, "details": details, "notes": result.notes}
