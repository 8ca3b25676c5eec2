"""`--data file.py:function`: data that a user's own Python gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import getitem
from typing import Any

import numpy as np

from icc_cli.data import torch_sets
from icc_cli.data.assemble import HINT, assembled, is_known
from icc_cli.data.dataset import Dataset
from icc_cli.errors import DataError, IccError
from icc_cli.loading import Inside, Named, named, reason

GIVES = (
    "It may return a dictionary of arrays, a tuple (images or inputs, labels, sublabels), a torch Dataset, or a pair "
    "of the last two for training and test."
)


@dataclass(frozen=True)
class _Source:
    """A data set of a user's program, whose samples are read as that program would."""

    given: Any
    found: Named

    def __len__(self) -> int:
        return len(self.given)

    def __getitem__(self, row: int) -> Any:
        try:
            return Inside(self.found.world, getitem)(self.given, row)
        except IccError:
            raise
        except Exception as error:
            raise DataError(f"sample {row} of {self.found.text} fails: {reason(error)}.") from error


def load(spec: str) -> Dataset:
    """What the function, or the object, of that name gives. DataError when it fails, or gives something else."""
    found = named(spec, "data set")
    made = isinstance(found.value, type) or (callable(found.value) and not hasattr(found.value, "__getitem__"))
    try:
        given = found.call() if made else found.value
        arrays = Inside(found.world, _arrays)(given, found)
    except IccError:
        raise
    except Exception as error:
        raise DataError(f"{spec} fails: {reason(error)}.", GIVES) from error
    return assembled(spec, arrays, spec)


def _arrays(given: Any, found: Named) -> dict[str, Any]:
    """Arrays by name, as `assembled` takes them."""
    if isinstance(given, Mapping):
        return _by_name(given, found.text)
    if _is_data_set(given):
        return _part(given, "", found)
    if (
        isinstance(given, tuple)
        and len(given) == 2
        and all(isinstance(part, tuple) or _is_data_set(part) for part in given)
    ):
        return _part(given[0], "", found) | _part(given[1], "test_", found)
    if isinstance(given, tuple | list):
        return _part(given, "", found)
    raise DataError(f"{found.text} gives a {type(given).__name__}, which is not a data set.", GIVES)


def _by_name(given: Mapping[Any, Any], spec: str) -> dict[str, Any]:
    unknown = [str(name) for name in given if not is_known(str(name))]
    if unknown:
        raise DataError(f"{spec} gives {unknown[0]!r}, which is not a name that icc reads.", HINT)
    return {str(name): _plain(values) for name, values in given.items()}


def _part(given: Any, prefix: str, found: Named) -> dict[str, Any]:
    """One split: a torch Dataset, or (samples, labels) or (samples, labels, sublabels)."""
    given = getattr(given, "dataset", given) if hasattr(given, "batch_sampler") else given  # a DataLoader's
    if _is_data_set(given):
        parts: tuple[Any, ...] = torch_sets.read(_Source(given, found), found.text)
    elif isinstance(given, tuple | list) and len(given) in (2, 3):
        parts = tuple(_plain(part) for part in given)
    else:
        raise DataError(f"{found.text} gives a {type(given).__name__} that is not a split of a data set.", GIVES)
    pixels = isinstance(parts[0], np.ndarray) and parts[0].dtype == np.uint8
    names = ("images" if pixels else "inputs", "labels", "sublabels")
    return {prefix + name: part for name, part in zip(names, parts, strict=False) if part is not None}


def _is_data_set(given: Any) -> bool:
    """Whether samples are read from it one by one, as from a torch Dataset or a DataLoader."""
    plain = isinstance(given, tuple | list | Mapping | np.ndarray | str) or hasattr(given, "__array__")
    return hasattr(given, "batch_sampler") or (
        not plain and hasattr(given, "__getitem__") and hasattr(given, "__len__")
    )


def _plain(values: Any) -> Any:
    """Tensors as arrays, those inside tuples and dictionaries too."""
    if isinstance(values, Mapping):
        return {str(name): _plain(item) for name, item in values.items()}
    if isinstance(values, tuple):
        return tuple(_plain(item) for item in values)
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        return values.float().numpy() if str(values.dtype) == "torch.bfloat16" else values.numpy()
    return np.asarray(values)
