"""Finding the state dict inside what a training loop saved around it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

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
        if is_state_dict(content):
            return _without_prefixes({key: value for key, value in content.items() if isinstance(value, Tensor)})
        found = [key for key in WRAPPER_KEYS if isinstance(content, Mapping) and isinstance(content.get(key), Mapping)]
        if len(found) > 1:
            raise CheckpointError(
                f"{path} holds several candidates for the state dict.",
                "Choose one with --state-key:",
                found,
            )
        if not found:
            break
        content = content[found[0]]
    raise CheckpointError(
        f"{path} holds no state dict: expected tensors by name, or one of {', '.join(WRAPPER_KEYS)}.",
        "Name the entry with --state-key. It holds:",
        _outline(content),
    )


def is_state_dict(content: Any) -> bool:
    """Whether `content` maps names to tensors (a module's own extra state beside them is allowed)."""
    return (
        isinstance(content, Mapping)
        and any(isinstance(value, Tensor) for value in content.values())
        and all(
            isinstance(key, str) and (isinstance(value, Tensor) or key.endswith("_extra_state"))
            for key, value in content.items()
        )
    )


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
        if is_state_dict(content) and (inner := {k: v for k, v in content.items() if k.startswith(prefix)}):
            return {key.removeprefix(prefix): value for key, value in inner.items()}
        raise CheckpointError(f"{path} has no entry {state_key!r}.", "It holds:", _outline(content))
    return content


def _outline(content: Any) -> list[str]:
    if not isinstance(content, Mapping):
        return [type(content).__name__]
    return [f"{str(key)[:100]}: {type(value).__name__}" for key, value in content.items()] or ["nothing"]
