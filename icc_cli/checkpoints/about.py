"""What a foreign checkpoint says of its training, where it says so as plain data."""

import argparse
from collections.abc import Mapping
from typing import Any

HPARAMS_KEYS = ("hyper_parameters", "hparams", "args", "config", "cfg", "opt")
"""Lightning's, and what other loops call theirs; all that are there are joined, the first of a name wins."""
METRICS = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")


def hparams(content: Any) -> dict[str, Any]:
    """Hyperparameters: the numbers, texts and truth values among the entries of `HPARAMS_KEYS`."""
    found: dict[str, Any] = {}
    for values in _tables(content):
        for key, value in values.items():
            if isinstance(key, str) and isinstance(value, bool | int | float | str):
                found.setdefault(key, value)
    return found


def normalisation(content: Any) -> dict[str, Any]:
    """`mean` and `std` per channel on pixels scaled to 0..1, when the hyperparameters hold both, or nothing."""
    for values in _tables(content):
        pair = {key: _floats(values.get(key)) for key in ("mean", "std")}
        if all(pair.values()):
            return pair
    return {}


def metrics(content: Any) -> dict[str, float]:
    """Metrics under icc's names in the entry `metrics`."""
    values = content.get("metrics") if isinstance(content, Mapping) else None
    if not isinstance(values, Mapping):
        return {}
    return {name: float(values[name]) for name in METRICS if isinstance(values.get(name), int | float)}


def epoch(content: Any) -> int | None:
    """The entry `epoch`, when it is a whole number."""
    value = content.get("epoch") if isinstance(content, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _tables(content: Any) -> list[Mapping[Any, Any]]:
    values = [content.get(key) for key in HPARAMS_KEYS] if isinstance(content, Mapping) else []
    plain = [vars(value) if isinstance(value, argparse.Namespace) else value for value in values]
    return [value for value in plain if isinstance(value, Mapping)]


def _floats(values: Any) -> list[float]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, int | float) for value in values):
        return []
    return [float(value) for value in values]
