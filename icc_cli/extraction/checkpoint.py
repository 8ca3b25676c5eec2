"""From a checkpoint to its cache, or to its activations in memory."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from icc_cli.cache import Rows
from icc_cli.data import Split
from icc_cli.errors import CheckpointError, UsageError
from icc_cli.extraction.forward import resolve_device
from icc_cli.extraction.how import Extraction
from icc_cli.extraction.in_memory import Activations, Memory
from icc_cli.extraction.ordered import Extracted, HeldOut, Listener, SplitSamples, extract
from icc_cli.extraction.provenance import describe, identity, of_subject
from icc_cli.extraction.sinks import OrderedCache, ordered_cache
from icc_cli.parts import Part
from icc_cli.shapes import JsonObject
from icc_cli.subject import Subject

ACCURACY_TOLERANCE = 0.01
SETS = {"train": "training set", "test": "test set"}


def extract_subject(subject: Subject, how: Extraction, path: Path, listener: Listener) -> None:
    """Write the cache of `subject` to `path`.

    Raises CheckpointError as `extract`, naming the checkpoint, and when the weights do not fit the model.
    """
    rows, held_out = rows_of(subject.data.train, how.rows), _held_out(subject, how)
    if how.with_test and held_out is None:
        raise UsageError(f"{subject.data.spec} has no test split.", "Leave out --with-test.")
    kept = held_out.rows if held_out is not None and how.with_test else None
    with ordered_cache(path, how.store_dtype, rows, kept) as sink:
        if held_out is not None and kept is not None:
            held_out = replace(held_out, write=sink.write_test)
        found = _fill(sink, subject, (rows, held_out), how, listener)
        if found.test_predictions is not None:
            sink.finish_test(found.test_predictions)


def held(subject: Subject, how: Extraction, listener: Listener) -> Activations:
    """What `extract_subject` writes, in memory."""
    sink = Memory(len(subject.data.train))
    _fill(sink, subject, (rows_of(subject.data.train), _held_out(subject, how)), how, listener)
    return sink.activations


def rows_of(split: Split, part: Part | None = None) -> Rows:
    """The rows of a split in the order of a cache, or a part of them. UsageError for more parts than there are rows."""
    order = split.order()
    if part is not None:
        if part.count > len(split):
            raise UsageError(f"{len(split)} samples cannot be split into {part.count} parts.", "Take fewer parts.")
        order = order[part.slice(len(split))]
    return Rows(np.arange(len(split)), split.labels, split.sublabels).take(order)


def _held_out(subject: Subject, how: Extraction) -> HeldOut | None:
    test = subject.data.test
    if test is None:
        return None
    samples = SplitSamples(test, subject.normalisation.mean, subject.normalisation.std)
    return HeldOut(samples, rows_of(test, how.rows))


def _fill(
    sink: OrderedCache | Memory,
    subject: Subject,
    splits: tuple[Rows, HeldOut | None],
    how: Extraction,
    listener: Listener,
) -> Extracted:
    rows, test = splits
    settled, network = subject.network()
    train = SplitSamples(subject.data.train, subject.normalisation.mean, subject.normalisation.std)
    try:
        found = extract(network, train, test, rows, sink, how, listener)
    except CheckpointError as error:
        raise CheckpointError(f"{subject.checkpoint.path}: {error.message}", error.hint, error.details) from error
    device = str(resolve_device(how.device or "auto"))
    description = describe(settled, found.measured, device, found.warnings, found.controls, found.reasons)
    if how.rows is not None:
        said: JsonObject = {"part": how.rows.index, "of": how.rows.count}
        for name, split in (("train", subject.data.train), ("test", subject.data.test)):
            span = how.rows.slice(len(split) if split is not None else 0)
            said[name] = [span.start, span.stop]
        description = replace(description, rows=said)
    sink.finish(rows, found.predictions, identity(of_subject(subject, how), description))
    _warn(subject, found.measured if how.rows is None else {}, listener)
    return found


def _warn(subject: Subject, measured: Mapping[str, float], listener: Listener) -> None:
    """Say what looks like the wrong data or normalisation; `measured` are accuracies over all samples of a split."""
    checkpoint, data = subject.checkpoint, subject.data
    if checkpoint.data and checkpoint.data.get("digest") not in (None, data.digest):
        listener.warn(f"{checkpoint.path} was trained on other images or labels than {data.spec} holds now.")
    poor = False
    for name, split in (("train", data.train), ("test", data.test)):
        accuracy = measured.get(f"{name}_accuracy")
        if accuracy is None or split is None or poor:
            continue
        recorded = checkpoint.metrics.get(f"{name}_accuracy")
        known = recorded is not None and abs(recorded - accuracy) <= ACCURACY_TOLERANCE
        share = float(np.bincount(split.labels).max() / len(split))
        poor = accuracy < near_chance(share) and not known
        if poor:
            listener.warn(
                f"{checkpoint.path}: {name} accuracy is {accuracy:.3f}, near chance: to say the largest class "
                f"every time gives {share:.3f}; are --data, its {'' if name == 'train' else 'test '}labels and "
                "--mean/--std the ones it was trained with?"
            )
        if recorded is not None and not known:
            listener.warn(
                f"{checkpoint.path}: {name} accuracy is {accuracy:.3f} here and {recorded:.3f} in the checkpoint; "
                f"another normalisation or another {SETS[name]} would explain it."
            )


def near_chance(share: float) -> float:
    """The accuracy under which a network says little more than the largest class, which is a `share` of the samples:
    half as much again, or a tenth of the way to 1 where that is less."""
    return share + min(share / 2, (1 - share) / 10)
