"""What the axes of a tensor stand for: samples, units, or positions; and what is left of that when it is reshaped.

Each axis is a tuple of atoms, the outermost first: an axis that was made of others, as `flatten` makes them, has
several, one of size 1 may have none. Atoms keep their sizes, so that a later reshape can take them apart again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["samples", "units", "positions"]


@dataclass(frozen=True)
class Atom:
    """So many samples, units (channels, features), or positions (pixels, tokens, time steps, windows)."""

    kind: Kind
    size: int


Axis = tuple[Atom, ...]


@dataclass(frozen=True)
class Axes:
    """The axes of one tensor, and the call that its units come from ("conv1d in c")."""

    axes: tuple[Axis, ...]
    source: str = ""

    def __len__(self) -> int:
        return len(self.axes)

    @property
    def samples(self) -> int | None:
        """How many samples there are; None when their axis is lost or cut."""
        found = [atom.size for axis in self.axes for atom in axis if atom.kind == "samples"]
        return found[0] if len(found) == 1 else None

    def having(self, axes: Sequence[Axis]) -> "Axes":
        return Axes(tuple(axes), self.source)


def one(kind: Kind, size: int) -> Axis:
    """An axis of one kind."""
    return (Atom(kind, size),)


def kind_of(axis: Axis) -> Kind:
    """What an axis is before all: units if any of it are, else samples, else positions."""
    kinds = [atom.kind for atom in axis]
    return "units" if "units" in kinds else "samples" if "samples" in kinds else "positions"


def size_of(axis: Axis) -> int:
    return math.prod(atom.size for atom in axis)


def fitted(axis: Axis, size: int) -> Axis:
    """`axis` after something that changed its size, such as a pooling or a slice."""
    if size_of(axis) == size:
        return axis
    return () if size == 1 else one(kind_of(axis), size)


def without_units(axis: Axis) -> Axis:
    """`axis` once the units of another are what counts: a layer was applied along it, position by position."""
    return tuple(Atom("positions", atom.size) if atom.kind == "units" else atom for atom in axis)


def reshaped(axes: Axes, shape: Sequence[int]) -> Axes:
    """What the axes become in a tensor of `shape` with the same elements in the same order.

    Where atoms cannot be regrouped, the samples keep their axis if it is the first, and the rest are positions.
    """
    groups = _regrouped([atom for axis in axes.axes for atom in axis if atom.size > 1], shape)
    if groups is not None:
        return axes.having(groups)
    first = axes.axes[0] if axes.axes else ()
    if shape and kind_of(first) == "samples" and size_of(first) == shape[0]:
        return axes.having([first, *(one("positions", size) for size in shape[1:])])
    return axes.having([one("positions", size) for size in shape])


def _regrouped(atoms: list[Atom], shape: Sequence[int]) -> list[Axis] | None:
    groups: list[Axis] = []
    rest = list(reversed(atoms))
    for size in shape:
        group: list[Atom] = []
        while size > 1:
            if not rest:
                return None
            atom = rest.pop()
            if size % atom.size == 0:
                group.append(atom)
                size //= atom.size
            elif atom.size % size == 0:
                group.append(Atom(atom.kind, size))
                rest.append(Atom(atom.kind, atom.size // size))
                size = 1
            else:
                return None
        groups.append(tuple(group))
    return None if rest else groups


def broadcast(operands: Sequence[tuple[tuple[int, ...], Axes]], shape: Sequence[int]) -> Axes | None:
    """The axes of an elementwise result: axis by axis from the right, of the first operand that is as large there.

    Where none is, as after a pooling, the first operand with as many axes says what the axis is. None when no operand
    has so many.
    """
    operands = sorted(operands, key=lambda operand: -len(operand[0]))
    full = next((axes for own, axes in operands if len(own) == len(shape)), None)
    found: list[Axis] = []
    for place, size in enumerate(shape):
        back = place - len(shape)
        same = [axes.axes[back] for own, axes in operands if len(own) >= -back and own[back] == size]
        if same:
            found.append(next((axis for axis in same if kind_of(axis) != "positions"), same[0]))
        elif full is not None:
            found.append(fitted(full.axes[back], size))
        else:
            return None
    source = full.source if full is not None else operands[0][1].source
    return Axes(tuple(found), source)
