"""ReLUs that are written as arithmetic: `torch.maximum(x, zero)`, `torch.where(x > 0, x, 0)`, `x * (x > 0)`,
`x.masked_fill(x < 0, 0)`, `x[x < 0] = 0`.

What counts is which tensor was compared with 0, never whether the values happen to be those of a ReLU.
"""

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

COMPARISONS = {
    **dict.fromkeys(("gt", "ge", "__gt__", "__ge__", "greater", "greater_equal"), True),
    **dict.fromkeys(("lt", "le", "__lt__", "__le__", "less", "less_equal"), False),
}
"""Whether a comparison with 0 is true where the tensor is positive, or where it is negative."""
OPPOSITES = ("logical_not", "bitwise_not", "__invert__")
COPIES = ("to", "type", "type_as", "float", "double", "half", "bfloat16", "int", "long", "clone", "detach")
PRODUCTS = ("mul", "multiply", "__mul__", "__rmul__", "__imul__")
LARGER = ("maximum", "fmax", "max", "clamp_min", "clamp", "clip")
ZEROS = ("zeros", "zeros_like", "new_zeros")
_NAMES = frozenset(
    (*COMPARISONS, *OPPOSITES, *COPIES, *PRODUCTS, *LARGER, *ZEROS, "where", "masked_fill", "__setitem__")
)


def is_arithmetic(function: Callable[..., Any], name: str) -> bool:
    """Whether a call of `function`, of this name, may be part of a ReLU, or undo one."""
    return name in _NAMES or _in_place(function)


class Arithmetic:
    """Knows which of a pass's tensors are zeros, and which say where another one is positive or negative."""

    def __init__(self) -> None:
        self._signs: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        """By the result of a comparison with 0: a reference to the tensor that was compared, and which comparison."""
        self._zeros: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    def relu(self, name: str, args: tuple[Any, ...]) -> Tensor | None:
        """The tensor whose ReLU a call computes, from the function's name and arguments; None for any other call."""
        if name in LARGER and len(args) == 2 and all(isinstance(a, Tensor) for a in args):  # max(x, 0) is over axis 0
            found = next((a for a, b in (args, args[::-1]) if self._is_zero(b)), None)
        elif name in PRODUCTS:
            found = next((a for a, b in (args, args[::-1]) if self._says(b, a, True)), None)
        elif name == "where" and len(args) == 3:
            condition, chosen, other = args if self._knows(args[0]) else (args[1], args[0], args[2])
            found = next(
                (a for a, b, sign in ((chosen, other, True), (other, chosen, False))
                 if self._says(condition, a, sign) and self._is_zero(b)), None,
            )  # fmt: skip
        elif name in ("masked_fill", "__setitem__") and len(args) == 3:
            found = args[0] if self._says(args[1], args[0], False) and self._is_zero(args[2]) else None
        else:
            found = None
        return found if isinstance(found, Tensor) and found.is_floating_point() else None

    def learn(self, function: Callable[..., Any], name: str, args: tuple[Any, ...], result: Any) -> None:
        """Know what a call has given."""
        first = args[0] if args else None
        if isinstance(first, Tensor) and (_in_place(function) or name == "__setitem__"):
            self._zeros.pop(first, None)  # type: ignore[no-untyped-call]
            self._signs.pop(first, None)  # type: ignore[no-untyped-call]
        elif not isinstance(result, Tensor):
            return
        elif name in COMPARISONS and len(args) == 2 and isinstance(first, Tensor) and self._is_zero(args[1]):
            self._signs[result] = (weakref.ref(first), COMPARISONS[name])
        elif name in ZEROS:
            self._zeros[result] = True
        elif name in (*OPPOSITES, *COPIES) and self._knows(first):
            compared, positive = self._signs[first]  # type: ignore[no-untyped-call]
            self._signs[result] = (compared, positive != (name in OPPOSITES))

    def _knows(self, condition: Any) -> bool:
        return isinstance(condition, Tensor) and condition in self._signs  # type: ignore[no-untyped-call]

    def _says(self, condition: Any, of: Any, positive: bool) -> bool:
        """Whether `condition` says where `of` is positive, or where it is negative."""
        if not self._knows(condition):
            return False
        compared, sign = self._signs[condition]  # type: ignore[no-untyped-call]
        return compared() is of and sign is positive

    def _is_zero(self, value: Any) -> bool:
        if isinstance(value, Tensor):
            return value in self._zeros or (value.numel() == 1 and not value.is_meta and value.item() == 0)  # type: ignore[no-untyped-call]
        return isinstance(value, int | float) and not isinstance(value, bool) and value == 0


def _in_place(function: Callable[..., Any]) -> bool:
    name = getattr(function, "__name__", "")
    return (name.endswith("_") and not name.endswith("__")) or (name.startswith("__i") and name != "__invert__")
