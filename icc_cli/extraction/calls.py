"""One call of a torch function, as the rules that follow its axes see it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from icc_cli.extraction.axes import Axes, broadcast, one


@dataclass(frozen=True)
class Call:
    """One call of a torch function: its arguments, one of its results, and where it was made."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Tensor
    index: int
    """Which of several results."""
    source: str
    of: Callable[[Any], Axes | None]
    """What is known of a tensor."""

    def argument(self, place: int, *names: str, default: Any = None) -> Any:
        """An argument by its place or one of its names."""
        if len(self.args) > place:
            return self.args[place]
        return next((self.kwargs[name] for name in names if name in self.kwargs), default)

    @property
    def input(self) -> Any:
        return self.argument(0, "input", "self", "tensor", "x", "query")

    def axes(self, minimum: int = 1) -> Axes | None:
        """What is known of the first argument; when nothing is, its first axis is taken to be the samples'."""
        known = self.of(self.input)
        if known is None and isinstance(self.input, Tensor) and self.input.dim() >= minimum:
            sizes = self.input.shape
            return Axes((one("samples", sizes[0]), *(one("positions", size) for size in sizes[1:])))
        return known

    def place(self, value: int, count: int | None = None) -> int:
        return value % max(1, count if count is not None else self.input.dim())


Rule = Callable[[Call], Axes | None]


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and mappings."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, dict):
        yield from tensors(tuple(value.values()))


def elementwise(call: Call) -> Axes | None:
    """Any function that is not named below: its result is taken for an elementwise one of its arguments."""
    found = [(tuple(t.shape), axes) for t in tensors((call.args, call.kwargs)) if (axes := call.of(t)) is not None]
    return broadcast(found, tuple(call.result.shape)) if found else None
