"""Following what the axes of tensors stand for through the calls of one forward pass."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from icc_cli.extraction import einsum
from icc_cli.extraction.axes import (
    Atom,
    Axes,
    Axis,
    Kind,
    broadcast,
    fitted,
    kind_of,
    one,
    reshaped,
    without_units,
)


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


class Follower:
    """Knows the axes of the tensors that a forward pass has made so far."""

    def __init__(self) -> None:
        self._known: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    def of(self, tensor: Any) -> Axes | None:
        """What is known of `tensor`, and still fits it."""
        if not isinstance(tensor, Tensor) or isinstance(tensor, nn.Parameter):
            return None
        known: Axes | None = self._known.get(tensor)  # type: ignore[no-untyped-call]
        return known if known is not None and len(known) == tensor.dim() else None

    def learn(self, tensor: Tensor, axes: Axes | None) -> None:
        if axes is None:
            self._known.pop(tensor, None)  # type: ignore[no-untyped-call]
        else:
            self._known[tensor] = axes

    def given(self, tensor: Tensor) -> None:
        """`tensor` is what the network is called with: samples first, and channels next if it is an image."""
        sizes = tensor.shape
        if tensor.dim():
            kinds = ["samples", *(["positions"] * (tensor.dim() - 1))]
            if tensor.dim() == 4:
                kinds[1] = "units"
            self.learn(tensor, Axes(tuple(one(k, n) for k, n in zip(kinds, sizes, strict=True)), "the input"))  # type: ignore[arg-type]

    def passed(self, inputs: Any, outputs: Any) -> None:
        """A module gave `outputs` for `inputs`: what is unknown of them is what is known of an input of that shape."""
        known = [tensor for tensor in tensors(inputs) if self.of(tensor) is not None]
        for output in tensors(outputs):
            if self.of(output) is None:
                self.learn(output, next((self.of(t) for t in known if t.shape == output.shape), None))

    def follow(
        self, function: Callable[..., Any], given: tuple[tuple[Any, ...], dict[str, Any]], result: Any, where: str
    ) -> None:
        """Learn what the results of a call are."""
        (args, kwargs), name = given, name_of_call(function)
        if name == "__setitem__" and isinstance(args[0], Tensor) and self.of(args[0]) is None:
            value = self.of(args[2])
            self.learn(args[0], value if value is not None and len(value) == args[0].dim() else None)
        rule = RULES.get(name, elementwise)
        source = f"{name} in {where}" if where else name
        for index, one_result in enumerate(tensors(result)):
            if isinstance(one_result, nn.Parameter):
                continue
            try:
                axes = rule(Call(args, kwargs, one_result, index, source, self.of))
            except (TypeError, IndexError, ValueError, AttributeError):
                axes = None  # a form of the call that the rule does not know
            fits = axes is not None and len(axes) == one_result.dim()
            self.learn(one_result, axes if fits else None)


def name_of_call(function: Callable[..., Any]) -> str:
    """`transpose` of torch.transpose and Tensor.transpose, `T` of the property."""
    name = getattr(function, "__name__", "")
    name = getattr(getattr(function, "__self__", None), "__name__", name) if name == "__get__" else name
    if name.endswith("_") and not name.endswith("__"):
        name = name[:-1]  # in place
    if name == "unfold" and getattr(function, "__module__", None) == nn.functional.__name__:
        return "unfold_patches"
    return name


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


def channels_next(call: Call) -> Axes | None:
    """Convolutions, batch and group norm: (samples, channels, positions ...)."""
    known, sizes = call.axes(2), call.result.shape
    if known is None or len(sizes) < 2:
        return None
    if len(sizes) < len(call.input.shape) or sizes[0] != call.input.shape[0]:
        return None
    rest = [fitted(without_units(axis), size) for axis, size in zip(known.axes[2:], sizes[2:], strict=False)]
    rest += [one("positions", size) for size in sizes[2 + len(rest) :]]
    return Axes((without_units(known.axes[0]), one("units", sizes[1]), *rest), call.source)


def convolution(call: Call) -> Axes | None:
    if call.result.dim() != call.argument(1, "weight").dim():
        return None  # without an axis of samples
    return channels_next(call)


def units_last(call: Call) -> Axes | None:
    """Linear layers and recurrent ones: units on the last axis, the same at every position."""
    known = call.axes(2)
    if known is None or len(known) != call.result.dim():
        return None
    return Axes((*(without_units(axis) for axis in known.axes[:-1]), one("units", call.result.shape[-1])), call.source)


def recurrent(call: Call) -> Axes | None:
    """(output, hidden state, ...) of RNN, LSTM and GRU."""
    if call.index == 0:
        return units_last(call)
    known = call.axes(3)
    if known is None or call.result.dim() != 3 or known.samples is None:
        return None
    layers, samples, units = call.result.shape
    if samples != known.samples:
        return None
    return Axes((one("positions", layers), one("samples", samples), one("units", units)), call.source)


def embedding(call: Call) -> Axes | None:
    indices = call.input if not call.input.is_floating_point() else call.argument(1)
    known = call.of(indices)
    before = known.axes if known is not None else ()
    if known is None and indices.dim():
        before = (one("samples", indices.shape[0]), *(one("positions", size) for size in indices.shape[1:]))
    return Axes((*before, one("units", call.result.shape[-1])), call.source)


def layer_norm(call: Call) -> Axes | None:
    known = call.axes()
    if known is None or any(kind_of(axis) == "units" for axis in known.axes):
        return known
    normalized = call.argument(1, "normalized_shape")
    return units_last(call) if len(normalized) == 1 else known


def product(call: Call) -> Axes | None:
    """Matrix products, of which one side may be a weight."""
    left, right = call.input, call.argument(1, "other", "mat2", "vec2")
    return _product(call, left, right)


def reversed_product(call: Call) -> Axes | None:
    return _product(call, call.argument(1), call.input)


def _product(call: Call, left: Any, right: Any) -> Axes | None:
    of_left, of_right, rank = call.of(left), call.of(right), call.result.dim()
    if of_left is None and of_right is None:
        return None
    if of_left is not None and of_right is not None:
        leading = broadcast(
            [
                (tuple(left.shape[:-2]), of_left.having(of_left.axes[:-2])),
                (tuple(right.shape[:-2]), of_right.having(of_right.axes[:-2])),
            ],
            tuple(call.result.shape[:-2]),
        )
        if leading is None:
            return None
        return leading.having([*leading.axes, of_left.axes[-2], of_right.axes[-1]])
    if of_left is not None and right.dim() >= 2 and rank == len(of_left):
        if isinstance(right, nn.Parameter) or kind_of(of_left.axes[-1]) == "units" or not _has_units(of_left):
            return Axes((*map(without_units, of_left.axes[:-1]), one("units", call.result.shape[-1])), call.source)
        return of_left.having([*of_left.axes[:-1], one("positions", call.result.shape[-1])])
    if of_right is not None and rank == len(of_right):
        before, last = of_right.axes[:-2], of_right.axes[-1]
        if kind_of(of_right.axes[-2]) == "units" or not _has_units(of_right):
            units = one("units", call.result.shape[-2])
            return Axes((*map(without_units, before), units, without_units(last)), call.source)
        return of_right.having([*before, one("positions", call.result.shape[-2]), last])
    return None


def _has_units(axes: Axes) -> bool:
    return any(kind_of(axis) == "units" for axis in axes.axes)


def added_product(call: Call) -> Axes | None:
    """addmm(bias, a, b), baddbmm."""
    return _product(call, call.argument(1, "mat1", "batch1"), call.argument(2, "mat2", "batch2"))


def reshape(call: Call) -> Axes | None:
    known = call.of(call.input)
    return (
        None
        if known is None
        else reshaped(known, tuple(call.result.shape))
        if tuple(call.result.shape) != tuple(call.input.shape)
        else known
    )


def places_of(call: Call, dims: Any) -> list[int]:
    """One axis or several, counted from 0."""
    return [call.place(dim) for dim in (dims if isinstance(dims, tuple | list) else (dims,))]


def permute(call: Call) -> Axes | None:
    known = call.of(call.input)
    dims = call.argument(1, "dims")
    if known is None:
        return None
    order = dims if isinstance(dims, tuple | list) else call.args[1:]
    return known.having([known.axes[call.place(dim)] for dim in order])


def transpose(call: Call) -> Axes | None:
    known = call.of(call.input)
    if known is None:
        return None
    a = call.place(call.argument(1, "dim0", "axis0"))
    b = call.place(call.argument(2, "dim1", "axis1"))
    axes = list(known.axes)
    axes[a], axes[b] = axes[b], axes[a]
    return known.having(axes)


def turned(call: Call) -> Axes | None:
    """t, T, H: all axes the other way round."""
    known = call.of(call.input)
    return None if known is None else known.having(known.axes[::-1])


def last_two(call: Call) -> Axes | None:
    """mT, mH, adjoint."""
    known = call.of(call.input)
    return None if known is None else known.having([*known.axes[:-2], known.axes[-1], known.axes[-2]])


def movedim(call: Call) -> Axes | None:
    known = call.of(call.input)
    if known is None:
        return None
    source, target = call.argument(1, "source"), call.argument(2, "destination")
    sources, targets = places_of(call, source), places_of(call, target)
    rest = iter(axis for place, axis in enumerate(known.axes) if place not in sources)
    moved = {to: known.axes[place] for place, to in zip(sources, targets, strict=True)}
    return known.having([moved[place] if place in moved else next(rest) for place in range(len(known))])


def squeeze(call: Call) -> Axes | None:
    known = call.of(call.input)
    if known is None:
        return None
    dims = call.argument(1, "dim")
    chosen = (
        range(len(known))
        if dims is None
        else [call.place(d) for d in (dims if isinstance(dims, tuple | list) else (dims,))]
    )
    gone = {place for place in chosen if call.input.shape[place] == 1} if len(known) > call.result.dim() else set()
    return known.having([axis for place, axis in enumerate(known.axes) if place not in gone])


def unsqueeze(call: Call) -> Axes | None:
    known = call.of(call.input)
    if known is None:
        return None
    place = call.place(call.argument(1, "dim"), len(known) + 1)
    return known.having([*known.axes[:place], (), *known.axes[place:]])


def stack(call: Call) -> Axes | None:
    parts = call.argument(0, "tensors")
    known = next((axes for part in parts if (axes := call.of(part)) is not None), None)
    if known is None:
        return None
    place = call.place(call.argument(1, "dim", default=0), len(known) + 1)
    return known.having([*known.axes[:place], one("positions", len(parts)), *known.axes[place:]])


def without_one(call: Call) -> Axes | None:
    """unbind, select: one axis less."""
    known = call.of(call.input)
    place = call.place(call.argument(1, "dim", default=0))
    return None if known is None else known.having([*known.axes[:place], *known.axes[place + 1 :]])


def reduction(call: Call) -> Axes | None:
    known = call.of(call.input)
    if known is None:
        return None
    dims = call.argument(1, "dim", "axis")
    if isinstance(dims, Tensor | str):
        return elementwise(call)
    dims = call.kwargs.get("dim", call.kwargs.get("axis", dims))
    if name_takes_order(call):
        dims = call.argument(2, "dim")
    if dims is None:
        return None if call.result.dim() != len(known) else known
    places = set(places_of(call, dims))
    if call.result.dim() == len(known):
        return known.having([() if place in places else axis for place, axis in enumerate(known.axes)])
    return known.having([axis for place, axis in enumerate(known.axes) if place not in places])


def name_takes_order(call: Call) -> bool:
    """norm(x, p, dim): the exponent comes first."""
    return call.source.split(" ", 1)[0] == "norm"


def item(call: Call) -> Axes | None:
    """x[...]"""
    known = call.of(call.input)
    if known is None:
        return None
    index = call.args[1]
    parts = list(index) if isinstance(index, tuple) else [index]
    used = sum(part.dim() if _is_mask(part) else 1 for part in parts if part is not None and part is not Ellipsis)
    if Ellipsis not in [part for part in parts if not isinstance(part, Tensor)]:
        parts.append(Ellipsis)
    axes: list[Axis] = []
    picked: list[Axis] = []
    first_pick, place = None, 0
    for part in parts:
        if part is None:
            axes.append(())
        elif part is Ellipsis:
            for _ in range(len(known) - used):
                axes.append(known.axes[place])
                place += 1
        elif isinstance(part, slice):
            axes.append(known.axes[place])
            place += 1
        elif isinstance(part, int) and not isinstance(part, bool):
            place += 1
        elif _is_mask(part) or isinstance(part, bool):
            return None
        else:
            first_pick = len(axes) if first_pick is None else first_pick
            picked.append(known.axes[place])
            place += 1
    if picked:
        rank = max(part.dim() if isinstance(part, Tensor) else 1 for part in parts if isinstance(part, Tensor | list))
        if rank == 1:
            kinds = {kind_of(axis) for axis in picked}
            kind: Kind = "samples" if "samples" in kinds else "units" if "units" in kinds else "positions"
            axes.insert(first_pick or 0, (Atom(kind, 1),))
        elif rank > 1:
            return None
    return known.having([fitted(axis, size) for axis, size in zip(axes, call.result.shape, strict=True)])


def _is_mask(part: Any) -> bool:
    return isinstance(part, Tensor) and part.dtype in (torch.bool, torch.uint8)


def einsum_rule(call: Call) -> Axes | None:
    operands = call.args[1:]
    if len(operands) == 1 and isinstance(operands[0], tuple | list):
        operands = tuple(operands[0])
    known = [call.of(operand) for operand in operands]
    return einsum.result(call.args[0], known, tuple(call.result.shape), call.source)


def patches(call: Call) -> Axes | None:
    """F.unfold and F.fold, pixel_shuffle: (samples, channels, positions ...)."""
    known = call.axes(3)
    if known is None:
        return None
    channels, *rest = call.result.shape[1:]
    return Axes((known.axes[0], one("units", channels), *(one("positions", size) for size in rest)), call.source)


def one_more(call: Call) -> Axes | None:
    """Tensor.unfold, view_as_real: windows or parts on a new last axis."""
    known = call.of(call.input)
    if known is None or call.result.dim() != len(known) + 1:
        return None
    axes = [fitted(axis, size) for axis, size in zip(known.axes, call.result.shape, strict=False)]
    return known.having([*axes, one("positions", call.result.shape[-1])])


def one_hot(call: Call) -> Axes | None:
    known = call.of(call.input)
    return None if known is None else Axes((*known.axes, one("units", call.result.shape[-1])), call.source)


def unknown(call: Call) -> Axes | None:
    return None


_NAMED: dict[Rule, str] = {
    convolution: "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution",
    channels_next: "batch_norm instance_norm group_norm",
    patches: "pixel_shuffle pixel_unshuffle unfold_patches fold",
    units_last: "linear bilinear lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell",
    recurrent: "lstm gru rnn_tanh rnn_relu",
    embedding: "embedding embedding_bag",
    layer_norm: "layer_norm rms_norm",
    product: "matmul bmm mm __matmul__ mv",
    reversed_product: "__rmatmul__",
    added_product: "addmm baddbmm",
    reshape: "view reshape flatten unflatten ravel view_as reshape_as",
    permute: "permute",
    transpose: "transpose swapaxes swapdims",
    turned: "t T H numpy_T",
    last_two: "mT mH adjoint",
    movedim: "movedim moveaxis",
    squeeze: "squeeze",
    unsqueeze: "unsqueeze",
    stack: "stack",
    without_one: "unbind select",
    reduction: "mean sum amax amin max min prod norm std var logsumexp median nanmean any all argmax argmin quantile",
    item: "__getitem__",
    einsum_rule: "einsum",
    one_more: "unfold view_as_real",
    one_hot: "one_hot",
    unknown: "as_strided set cdist outer ger diag nonzero masked_select tensordot kron",
}
RULES: dict[str, Rule] = {name: rule for rule, names in _NAMED.items() for name in names.split()}
"""What each function that moves, makes or drops axes does to them, by its name."""
