"""Checkpoints under the names that transformers writes, which are not always the names that its networks have.

The library keeps what it has once written readable by renaming, splitting and tying weights when it loads them. Its own
loading does that here, on weights that are in memory: no file is read, nothing is downloaded.
"""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

from torch import Tensor, nn

State = dict[str, Tensor]


def renamed(model: nn.Module, state: State) -> Iterator[State]:
    """`state` under the names of each network of transformers' in `model` for which it is complete, and nothing more.

    Nothing for a model without one.
    """
    library: Any = sys.modules.get("transformers")
    if library is None or "transformers.modeling_utils" not in sys.modules:
        return
    found: list[nn.Module] = []
    for module in model.modules():
        within = any(module is inner for outer in found for inner in outer.modules())
        if isinstance(module, library.PreTrainedModel) and not within:
            found.append(module)
    for module in found:
        for weights in (state, _without_common_prefix(state)):
            if weights is not None and (loaded := _loaded(library, module, weights)) is not None:
                yield loaded
                break


def _loaded(library: Any, module: Any, state: State) -> State | None:
    """The state dict of a network like `module` into which the library has loaded `state`."""
    # As float32, since the library would give all weights the type of the first.
    state = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    with _quiet(library.utils.logging), contextlib.suppress(Exception):
        network, told = type(module).from_pretrained(
            None, config=module.config, state_dict=state, local_files_only=True, output_loading_info=True
        )
        if not any(told.get(kind) for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")):
            return dict(network.state_dict())
    return None


def _without_common_prefix(state: Mapping[str, Tensor]) -> State | None:
    folders = zip(*(key.split(".")[:-1] for key in state), strict=False)
    prefix = "".join(f"{names[0]}." for names in takewhile(lambda names: len(set(names)) == 1, folders))
    return {key.removeprefix(prefix): value for key, value in state.items()} if prefix else None


@contextlib.contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """The library's report on what does not fit is ours to make."""
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
