"""Which part of what a network gives are its logits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from icc_cli.errors import CheckpointError

LOGITS = ("logits", "out", "output", "outputs", "pred", "preds", "prediction", "predictions", "scores", "y")
"""What dictionaries call them, the likeliest first."""


@dataclass(frozen=True)
class Logits:
    """Where the logits are in a network's output: itself, or the item of a key; and how one column is to be read."""

    key: str | int | None = None
    probability: bool = False
    """One output for two classes is a probability, not a logit."""
    note: str = ""
    """What the user may want to know of the choice."""

    def of(self, outputs: Any, samples: int) -> Tensor:
        """Logits (B, classes) of what the network gave; CheckpointError when they are not that."""
        found = outputs if self.key is None else outputs[self.key]
        if isinstance(found, Tensor) and found.dim() == 1 and len(found) == samples:
            found = found.unsqueeze(1)
        if not isinstance(found, Tensor) or found.dim() != 2 or len(found) != samples:
            raise CheckpointError(f"the model's output is {_shown(found)}, expected logits (batch, classes).")
        if found.shape[1] == 1:
            # Two classes of one number: the second is found where it is above 0, a probability above a half.
            return torch.cat([torch.full_like(found, 0.5 if self.probability else 0.0), found], dim=1)
        return found


def find(outputs: Any, samples: int, classes: int, squashed: Tensor | None = None) -> Logits:
    """Where the logits are in `outputs`, for `samples` samples of `classes` classes.

    A tuple's or dictionary's logits are what it calls so, else its only one of one row per sample and as many columns
    as there are classes, else its first with enough of them. `squashed` is what the network's last sigmoid gave.
    """
    if isinstance(outputs, Tensor):
        return Logits(None, outputs is squashed)
    items = _items(outputs)
    if not items:
        raise CheckpointError(f"the model's output is {_shown(outputs)}, expected logits (batch, classes).")
    tables = {key: item for key, item in items.items() if _is_table(item, samples)}
    named = [key for key in LOGITS if key in tables]
    exact = [key for key, item in tables.items() if item.dim() == 2 and item.shape[1] == classes]
    wide = [key for key, item in tables.items() if item.dim() == 2 and item.shape[1] >= classes]
    narrow = [key for key, item in tables.items() if item.dim() == 1 or item.shape[1] == 1] if classes <= 2 else []
    for candidates in (named, exact if len(exact) == 1 else [], wide, narrow):
        if candidates:
            key = candidates[0]
            break
    else:
        raise CheckpointError(
            f"the model gives {_shown(outputs)}, and none of it is logits of {classes} classes.",
            "Wrap it in a module that returns them.",
        )
    position = list(items).index(key)
    others = not named and (position > 0 or (len(exact) != 1 and len(wide) > 1))
    note = f"of {_shown(outputs)}, which the model gives, the logits are {key!r}." if others else ""
    return Logits(key, items[key] is squashed, note)


def _items(outputs: Any) -> dict[str | int, Any]:
    if isinstance(outputs, Mapping):
        return dict(outputs)
    if isinstance(outputs, tuple | list):
        return dict(enumerate(outputs))
    return {}


def _is_table(item: Any, samples: int) -> bool:
    return isinstance(item, Tensor) and item.dim() in (1, 2) and len(item) == samples


def _shown(outputs: Any) -> str:
    if isinstance(outputs, Tensor):
        return str(tuple(outputs.shape))
    if isinstance(outputs, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in outputs.items()) + "}"
    if isinstance(outputs, tuple | list) and outputs:
        return "(" + ", ".join(_shown(item) for item in outputs) + ")"
    return type(outputs).__name__
