"""What the axes of an einsum's result stand for."""

from collections.abc import Sequence

from icc_cli.extraction.axes import Axes, Axis, Kind, fitted, kind_of, one


def result(equation: str, operands: Sequence[Axes | None], shape: tuple[int, ...], source: str) -> Axes | None:
    """The axes of the result, `operands` being what is known of each operand; None with an ellipsis.

    A letter that a known operand has keeps what it is. One that only others (weights) have is a position if the units
    survive, and the new units if they are summed over.
    """
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    letters = inputs.split(",")
    if "." in equation or len(letters) != len(operands) or not arrow:
        return None
    known: dict[str, Axis] = {}
    for names, axes in zip(letters, operands, strict=True):
        if axes is not None:
            known |= {name: axis for name, axis in zip(names, axes.axes, strict=True) if name not in known}
    if not known:
        return None
    survive = any(kind_of(known[name]) == "units" for name in output if name in known)
    new: Kind = "positions" if survive else "units"
    first = next(axes for axes in operands if axes is not None)
    found = [fitted(known[n], size) if n in known else one(new, size) for n, size in zip(output, shape, strict=True)]
    return Axes(tuple(found), first.source if survive else source)
