"""A state dict under the names that a model has for its weights, where wrappers have given them others."""

from collections.abc import Iterable, Iterator, Mapping

from torch import Tensor

from icc_cli.errors import CheckpointError

State = dict[str, Tensor]

WRAPPERS = ("module", "_module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""The names under which DataParallel, Opacus, torch.compile, Fabric, FSDP and checkpointing keep what they wrap."""
COUNTERS = ("num_batches_tracked", "n_averaged")
"""Entries that may be there or not: they are no weights."""


def aligned(own: Mapping[str, Tensor], state: State, where: object) -> State:
    """`state` with the names of `own`, a model's state dict, when removing what wrappers add makes them the same.

    That is: names of wrappers anywhere in a key, a prefix (what does not have it is left out), the model's own prefix
    added, and pruning's masks applied. When no way fits every name, `state` as it is. Raises CheckpointError, naming
    `where`, when several prefixes fit: they are several networks.
    """
    if _same_names(own, state):
        return state
    found: dict[str, State] = {}
    for renamed in (_unwrapped(state), state):
        for prefix, candidate in _candidates(own, renamed):
            if _same_names(own, candidate) and not any(_same_tensors(candidate, other) for other in found.values()):
                found.setdefault(prefix, candidate)
    by_shape = {prefix: candidate for prefix, candidate in found.items() if _same_shapes(own, candidate)}
    found = by_shape or found
    if len(found) > 1:
        raise CheckpointError(
            f"{where} holds several networks whose names fit the model.",
            "Choose one with --state-key:",
            [prefix.removesuffix(".") for prefix in found],
        )
    return next(iter(found.values()), state)


def _candidates(own: Mapping[str, Tensor], state: State) -> Iterator[tuple[str, State]]:
    """`state` with each prefix removed that makes a key one of the model's, and with each of the model's added."""
    weights = [key for key in own if not key.endswith(COUNTERS)]
    for variant in (state, _without_masks(state)):
        yield "", variant
        for prefix in _fronts(variant, weights[:1]):
            yield prefix, {key.removeprefix(prefix): value for key, value in variant.items() if key.startswith(prefix)}
        for prefix in _fronts(weights, list(variant)[:1]):
            yield "", {prefix + key: value for key, value in variant.items()}


def _fronts(keys: Iterable[str], ends: list[str]) -> list[str]:
    return sorted({key.removesuffix(end) for key in keys for end in ends if key.endswith(f".{end}")})


def _unwrapped(state: State) -> State:
    renamed = {".".join(part for part in key.split(".") if part not in WRAPPERS): value for key, value in state.items()}
    return renamed if len(renamed) == len(state) else state


def _without_masks(state: State) -> State:
    """What torch.nn.utils.prune computes: NAME = NAME_orig * NAME_mask."""
    pruned = [key.removesuffix("_mask") for key in state if key.endswith("_mask")]
    pruned = [key for key in pruned if f"{key}_orig" in state]
    masked = {key: state[f"{key}_orig"] * state[f"{key}_mask"] for key in pruned}
    parts = {f"{key}_{part}" for key in pruned for part in ("orig", "mask")}
    return {**{key: value for key, value in state.items() if key not in parts}, **masked}


def _same_tensors(one: State, other: State) -> bool:
    return all(value is other.get(key) for key, value in one.items())


def _same_names(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> bool:
    return {key for key in own if not key.endswith(COUNTERS)} == {key for key in state if not key.endswith(COUNTERS)}


def _same_shapes(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> bool:
    return all(same_shape(own[key], state[key]) for key in own if key in state)


def same_shape(own: Tensor, value: Tensor) -> bool:
    """Whether the shapes agree; a lazy module's, which loading settles, agrees with any."""
    from torch.nn.parameter import is_lazy

    return is_lazy(own) or own.shape == value.shape
