"""What functions that move, make or drop axes do to them."""

from typing import Any

import torch
from torch import Tensor

from icc_cli.extraction.axes import Atom, Axes, Axis, Kind, fitted, kind_of, one, reshaped
from icc_cli.extraction.calls import Call, elementwise


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


def one_more(call: Call) -> Axes | None:
    """Tensor.unfold, view_as_real: windows or parts on a new last axis."""
    known = call.of(call.input)
    if known is None or call.result.dim() != len(known) + 1:
        return None
    axes = [fitted(axis, size) for axis, size in zip(known.axes, call.result.shape, strict=False)]
    return known.having([*axes, one("positions", call.result.shape[-1])])


def unknown(call: Call) -> Axes | None:
    return None
