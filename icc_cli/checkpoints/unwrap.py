"""Finding the state dict inside what a training loop saved around it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from icc_cli.checkpoints.harmless import Array
from icc_cli.errors import CheckpointError

WRAPPER_KEYS = (
    "state_dict", "model", "model_state_dict", "net", "network", "module", "weights", "params",
    "ema", "ema_state_dict", "state_dict_ema", "model_ema", "params_ema",
)  # fmt: skip
PREFIXES = ("module.", "_orig_mod.", "model.")
AVERAGED_MODEL_COUNTER = "n_averaged"
"""What torch.optim.swa_utils.AveragedModel keeps beside the averaged module."""
DEEPEST = 8


def unwrap(content: Any, path: Path, state_key: str | None) -> dict[str, Tensor]:
    """The state dict in `content`, its keys without the prefixes that wrappers add.

    `state_key` names an entry, dots separating levels; its end may also be a prefix of the state dict's keys.
    Raises CheckpointError when there is none, or several and `state_key` does not say which.
    """
    if state_key is not None:
        content = _at(content, state_key, path)
    for _ in range(DEEPEST):
        if packed := _quantised(content):
            raise CheckpointError(
                f"{path} holds a quantised network, whose weights are packed ({packed}).", "Save the float network."
            )
        if is_state_dict(content):
            return _without_prefixes(_tensors(content))
        found = [key for key in WRAPPER_KEYS if isinstance(content, Mapping) and isinstance(content.get(key), Mapping)]
        found = [key for key in found if is_state_dict(content[key])] or found
        if len(found) > 1:
            raise CheckpointError(
                f"{path} holds several candidates for the state dict.",
                "Choose one with --state-key:",
                found,
            )
        if not found:
            break
        content = content[found[0]]
    if _is_flat(content):
        return _without_prefixes(_tensors(content))
    within = (
        [str(key) for key, value in content.items() if is_state_dict(value)] if isinstance(content, Mapping) else []
    )
    if within:
        raise CheckpointError(
            f"{path} holds its state dict under an unusual name.", "Choose it with --state-key:", within
        )
    raise CheckpointError(
        f"{path} holds no state dict: expected tensors by name, or one of {', '.join(WRAPPER_KEYS)}.",
        "Name the entry with --state-key. It holds:",
        _outline(content),
    )


def is_state_dict(content: Any) -> bool:
    """Whether `content` maps names to tensors (a module's own extra state beside them is allowed)."""
    return (
        isinstance(content, Mapping)
        and any(_is_array(value) for value in content.values())
        and all(
            isinstance(key, str) and (_is_array(value) or key.endswith("_extra_state"))
            for key, value in content.items()
        )
    )


def _is_flat(content: Any) -> bool:
    """Whether numbers, texts or None stand among the tensors of a state dict."""
    if not isinstance(content, Mapping):
        return False
    return all(
        isinstance(key, str) and (_is_array(value) or isinstance(value, int | float | str | None))
        for key, value in content.items()
    ) and any(_is_array(value) and _dimensions(value) for value in content.values())


def _quantised(content: Any) -> str | None:
    """The entry by which a dictionary is the state of a quantised network."""
    if not isinstance(content, Mapping):
        return None
    return next((str(key) for key in content if str(key).endswith(("._packed_params", ".SCB", ".qweight"))), None)


def _is_array(value: Any) -> bool:
    return isinstance(value, Tensor) or _numpy(value) is not None


def _numpy(value: Any) -> "np.ndarray[Any, np.dtype[Any]] | None":
    """The array of numbers that `value` is or stands for."""
    array = value.values if isinstance(value, Array) else value
    return array if isinstance(array, np.ndarray) and array.dtype.kind in "fiub" else None


def _dimensions(value: Any) -> int:
    array = _numpy(value)
    return int(value.dim() if array is None else array.ndim)


def _tensor(value: Any) -> Tensor:
    array = _numpy(value)
    if array is None:
        return cast(Tensor, value)
    return torch.from_numpy(np.array(array, array.dtype.newbyteorder("=")))


def _tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a state dict, and its numpy arrays as tensors."""
    return {key: _tensor(value) for key, value in content.items() if _is_array(value)}


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    while True:
        weights = {key: value for key, value in state.items() if key != AVERAGED_MODEL_COUNTER}
        prefix = next((p for p in PREFIXES if weights and all(key.startswith(p) for key in weights)), None)
        if prefix is None:
            return state
        state = {key.removeprefix(prefix): value for key, value in weights.items()}


def _at(content: Any, state_key: str, path: Path) -> Any:
    parts = state_key.split(".")
    for depth, part in enumerate(parts):
        if isinstance(content, Mapping) and part in content:
            content = content[part]
            continue
        prefix = ".".join(parts[depth:]) + "."
        # A prefix of the keys may be named without the entry that holds them.
        states = [content] if depth else [content, *(content.values() if isinstance(content, Mapping) else ())]
        inner = [_below(state, prefix) for state in states if is_state_dict(state) or _is_flat(state)]
        if any(inner):
            return next(filter(None, inner))
        raise CheckpointError(f"{path} has no entry {state_key!r}.", "It holds:", _outline(content))
    return content


def _below(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _outline(content: Any) -> list[str]:
    if not isinstance(content, Mapping):
        return [type(content).__name__]
    return [f"{str(key)[:100]}: {type(value).__name__}" for key, value in content.items()] or ["nothing"]
