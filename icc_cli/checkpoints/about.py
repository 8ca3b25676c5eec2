"""What a foreign checkpoint says of its training, where it says so as plain data."""

import argparse
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from icc_cli.shapes import JsonObject, finite, fits, items, number, scalar, text, whole

HPARAMS_KEYS = ("hyper_parameters", "hparams", "args", "config", "cfg", "opt")
"""Lightning's, and what other loops call theirs; all that are there are joined, the first of a name wins."""
SPLITS = {
    "train": "train", "training": "train", "trn": "train", "tr": "train",
    "test": "test", "testing": "test",
    "val": "val", "valid": "val", "validation": "val", "eval": "val", "dev": "val",
}  # fmt: skip
ACCURACIES = {"accuracy", "acc", "acc1", "top1", "prec1", "precision1"}
"""What loops call the share of right answers. Precision without a number is another thing."""
BEST = ("best", "max")
NOT_THIS_NETWORKS = re.compile(
    r"optim|sched|scaler|callback|loop|state_?dict|(^|_)ema|history|teacher|student|pretrain|previous|baseline|init",
    re.IGNORECASE,
)
"""Entries whose numbers say nothing of this network."""
DEEPEST = 4
_CHANNELS = items(finite, least=1)


def hparams(content: Any) -> JsonObject:
    """Hyperparameters: the numbers, texts and truth values among the entries of `HPARAMS_KEYS`."""
    found: JsonObject = {}
    for values in _tables(content):
        for key, value in values.items():
            if fits(text, key) and value is not None and fits(scalar, value):
                found.setdefault(key, value)
    return found


def normalisation(content: Any) -> JsonObject:
    """`mean` and `std` per channel on pixels scaled to 0..1, when the hyperparameters hold both, or nothing."""
    for values in _tables(content):
        pair: JsonObject = {key: values.get(key) for key in ("mean", "std")}
        if all(fits(_CHANNELS, value) for value in pair.values()):
            return {key: [float(one) for one in value] for key, value in pair.items()}
    return {}


def metrics(content: Any) -> dict[str, float]:
    """Accuracies (0..1), losses and steps, at any depth, as what the file says that they are.

    `train_acc` is train_accuracy, `val_acc` val_accuracy, `acc` accuracy (of which split is not known) and `best_acc`
    or `best_prec1` best_accuracy: the best epoch's, which this file need not be of. Values of an accuracy above 1 are
    per cents. Of several of one name the least nested counts.
    """
    found: dict[str, float] = {}
    for path, value in _numbers(content):
        name = _metric(path)
        known = _share(value) if name is not None and name.endswith("accuracy") else value
        if name is not None and known is not None:
            found.setdefault(name, known)
    return found


def epoch(content: Any) -> int | None:
    """The entry `epoch`, at any depth, when it is a whole number; not the best one's."""
    for path, value in _numbers(content):
        around = {word for part in path[:-1] for word in _words(part)}
        named = path[-1].lower() in ("epoch", "current_epoch") and not around & {*BEST}
        if named and float(value).is_integer() and fits(whole, int(value)):
            return int(value)
    return None


def _metric(path: tuple[str, ...]) -> str | None:
    """The name under which the number at `path` is recorded, or None when it is no metric."""
    around = [word for part in path[:-1] for word in _words(part) if word in SPLITS or word in BEST]
    own = _words(path[-1])
    if own in (["step"], ["global", "step"]) and not around:
        return "step"
    best = any(word in BEST for word in (*around, *own))
    splits = dict.fromkeys(SPLITS[word] for word in (*around, *own) if word in SPLITS)
    rest = [word for word in own if word not in BEST and word not in SPLITS]
    if len(rest) > 1 and rest[-1] == "epoch" and not best:  # Lightning's mean over an epoch
        rest.pop()
    kind = "accuracy" if rest and set(rest) <= ACCURACIES else "loss" if rest == ["loss"] else None
    if kind is None or len(splits) > 1:
        return None
    return "_".join(["best"] * best + [*splits, kind])


def _words(key: str) -> list[str]:
    """`valAcc@1` as val, acc1."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()
    joined = re.sub(r"(acc|accuracy|prec|precision|top)[@_ -]?([15])(?![0-9])", r"\1\2", spaced)
    return [word for word in re.split(r"[^a-z0-9]+", joined.replace("accuracy1", "acc1")) if word]


def _share(value: float) -> float | None:
    """An accuracy between 0 and 1 from a share or from per cents."""
    if 0 <= value <= 1:
        return float(value)
    return value / 100 if 1 < value <= 100 else None


def _numbers(content: Any) -> list[tuple[tuple[str, ...], float]]:
    """(keys, number) of what lies in dictionaries within dictionaries, the least nested first."""
    found: list[tuple[tuple[str, ...], float]] = []
    level: list[tuple[tuple[str, ...], Mapping[Any, Any]]] = [((), content)] if isinstance(content, Mapping) else []
    for _ in range(DEEPEST):
        inner = []
        for path, table in level:
            for key, value in table.items():
                if not fits(text, key):
                    continue
                value = _item(value)
                if fits(number, value):
                    found.append(((*path, key), value))
                elif isinstance(value, Mapping) and not _is_weights(value) and _may_tell(key):
                    inner.append(((*path, key), value))
        level = inner
    return found


def _item(value: Any) -> Any:
    """The number that a tensor of one is; anything else as it is."""
    plain = isinstance(value, Tensor) and value.layout == torch.strided and not (value.is_meta or value.is_quantized)
    return value.item() if plain and value.numel() == 1 else value


def _may_tell(key: str) -> bool:
    return key not in HPARAMS_KEYS and not NOT_THIS_NETWORKS.search(key)


def _is_weights(table: Mapping[Any, Any]) -> bool:
    return any(isinstance(value, Tensor) and value.numel() > 1 for value in table.values())


def _tables(content: Any) -> list[Mapping[Any, Any]]:
    values = [content.get(key) for key in HPARAMS_KEYS] if isinstance(content, Mapping) else []
    plain = [vars(value) if isinstance(value, argparse.Namespace) else value for value in values]
    return [value for value in plain if isinstance(value, Mapping)]
