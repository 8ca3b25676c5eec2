"""What layers and products do to axes: where they put their units."""

from typing import Any

from torch import nn

from icc_cli.extraction import einsum
from icc_cli.extraction.axes import Axes, broadcast, fitted, kind_of, one, without_units
from icc_cli.extraction.calls import Call


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


def one_hot(call: Call) -> Axes | None:
    known = call.of(call.input)
    return None if known is None else Axes((*known.axes, one("units", call.result.shape[-1])), call.source)
