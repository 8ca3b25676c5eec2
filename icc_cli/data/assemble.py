"""From arrays by name, of a file or of a user's function, to a Dataset."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icc_cli.data.dataset import Dataset, Images, Split
from icc_cli.data.inputs import InputArrays, Inputs, as_input
from icc_cli.errors import DataError

HINT = (
    "Expected images (N, H, W, C) or (N, H, W) uint8, or inputs (N, ...) float32 or int64, with labels (N,); "
    "sublabels and test_ arrays may follow."
)
BLOCK = 256
"""Images whose pixels are counted at a time."""
INPUTS = ("inputs", "test_inputs")
NAMES = ("images", "labels", "sublabels", "test_images", "test_labels", "test_sublabels")
LABEL_NAMES = ("label_names", "sublabel_names")


def is_known(name: str) -> bool:
    """Whether an array of this name is read; several inputs are called inputs/NAME."""
    return name in (*INPUTS, *NAMES, *LABEL_NAMES) or name.startswith(tuple(f"{item}/" for item in INPUTS))


def assembled(spec: str, arrays: Mapping[str, Any], where: str) -> Dataset:
    """The data set of `arrays`; DataError, naming `where`, when they are not what `HINT` says.

    Inputs may also be `Inputs` already, and a mapping or a sequence of arrays.
    """
    train = _split(arrays, "", where)
    if train is None:
        raise DataError(f"{where} has no images and no inputs.", HINT)
    mean, std = (None, None) if train.inputs is not None else _normalisation(train.images)
    return Dataset(
        spec=spec,
        train=train,
        test=_split(arrays, "test_", where),
        label_names=_names(arrays.get("label_names")),
        sublabel_names=_names(arrays.get("sublabel_names")),
        mean=mean,
        std=std,
    )


def _split(arrays: Mapping[str, Any], prefix: str, where: str) -> Split | None:
    samples = _samples(arrays, prefix, where)
    if samples is None:
        return None
    if prefix + "labels" not in arrays:
        raise DataError(f"{where} has {prefix}images or {prefix}inputs, but no {prefix}labels.", HINT)
    labels = _integers(arrays[prefix + "labels"], prefix + "labels", where)
    sublabels = None
    if arrays.get(prefix + "sublabels") is not None:
        sublabels = _integers(arrays[prefix + "sublabels"], prefix + "sublabels", where)
        if sublabels.ndim != 1:
            raise DataError(f"{prefix}sublabels in {where} is {sublabels.shape}, expected (N,).", HINT)
    if labels.ndim == 2:
        labels, sublabels = labels[:, 0], labels[:, 1]
    return Split(samples, labels, sublabels)


def _samples(arrays: Mapping[str, Any], prefix: str, where: str) -> Images | Inputs | None:
    several = {name.partition("/")[2]: values for name, values in arrays.items() if name.startswith(f"{prefix}inputs/")}
    given: Any = several or arrays.get(prefix + "inputs")
    if arrays.get(prefix + "images") is not None:
        if given is not None:
            raise DataError(f"{where} has {prefix}images and {prefix}inputs.", "Keep one of them.")
        return _images(arrays[prefix + "images"], prefix + "images", where)
    if given is None:
        return None
    if isinstance(given, Inputs):
        return given
    if isinstance(given, tuple):
        given = {str(position): values for position, values in enumerate(given)}
    named = given if isinstance(given, Mapping) else {"0": given}
    found = {str(name): as_input(values, f"{prefix}inputs", where) for name, values in named.items()}
    lengths = {name: len(array) for name, array in found.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"the {prefix}inputs of {where} have different numbers of samples: {lengths}.")
    return InputArrays(found)


def _images(values: Any, name: str, where: str) -> NDArray[np.uint8]:
    images = np.asarray(values)
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise DataError(f"{name} in {where} is {images.shape} {images.dtype}.", HINT)
    return images if images.ndim == 4 else images[..., None]


def _integers(values: Any, name: str, where: str) -> NDArray[np.int64]:
    """(N,) integers, or (N, 2): a class and a subclass for each sample."""
    array = np.asarray(values)
    if array.dtype.kind not in "iub" or array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] != 2):
        raise DataError(
            f"{name} in {where} is {array.shape} {array.dtype}, expected (N,) integers, or (N, 2): class and subclass."
        )
    return array.astype(np.int64)


def _names(values: Any) -> tuple[str, ...]:
    if values is None:
        return ()
    return tuple(v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in np.asarray(values).ravel())


def _normalisation(images: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over the training split, to four decimals."""
    counts = np.zeros((images.shape[-1], 256))
    for start in range(0, len(images), BLOCK):
        pixels = images[start : start + BLOCK].reshape(-1, images.shape[-1])
        counts += [np.bincount(channel, minlength=256) for channel in pixels.T]
    values = np.arange(256) / 255
    count = max(1, len(images) * images.shape[1] * images.shape[2])
    mean = counts @ values / count
    std = np.sqrt(np.maximum(counts @ values**2 / count - mean**2, 1e-6))
    return tuple(round(float(m), 4) for m in mean), tuple(round(float(s), 4) for s in std)
