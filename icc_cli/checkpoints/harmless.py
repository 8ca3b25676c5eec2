"""Metadata beside the weights that is read, or passed over, without importing or calling what it names.

torch's safe unpickler calls what it is told is safe. It is told stand-ins of this file under the names of classes
that hold plain data. None of those classes is imported; none of the stand-ins does more than keep its arguments.
"""

import argparse
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS = re.compile(r"[<>=|]?[fiubc]\d{1,2}")


class PassedOver:
    """In the place of an object that holds no weights and no numbers that are read."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class NumberType:
    """In the place of a numpy dtype: its code, such as "f8", with its byte order."""

    def __init__(self, code: Any = "", *args: Any) -> None:
        self.code = code.decode("ascii", "replace") if isinstance(code, bytes) else str(code)

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "="
        order = order.decode("ascii", "replace") if isinstance(order, bytes) else str(order)
        self.code = order + self.code.lstrip("<>=|") if order in "<>=|" else self.code

    @property
    def numbers(self) -> "np.dtype[Any] | None":
        """The dtype, when it is one of plain numbers."""
        return np.dtype(self.code) if NUMBERS.fullmatch(self.code) else None


class Array:
    """In the place of a numpy array."""

    def __init__(self, *args: Any) -> None:
        self.values: NDArray[Any] | None = None
        """The array; None when it holds something else than numbers."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_column, data = state
        if isinstance(kind, NumberType) and kind.numbers is not None and isinstance(data, bytes | bytearray):
            order = "F" if by_column else "C"
            self.values = np.frombuffer(data, kind.numbers).reshape(shape, order=order)  # type: ignore[call-overload]


def _scalar(kind: Any = None, data: Any = b"", *args: Any) -> object:
    numbers = kind.numbers if isinstance(kind, NumberType) else None
    if numbers is None or not isinstance(data, bytes):
        return PassedOver()
    return np.frombuffer(data, numbers, 1)[0].item()


class _Table:
    """Calls and makes an empty dictionary, which the items that follow fill."""

    def __new__(cls, *args: Any) -> OrderedDict[Any, Any]:  # type: ignore[misc]
        return OrderedDict()


class _List:
    """Calls and makes an empty list, which the items that follow fill."""

    def __new__(cls, *args: Any) -> list[Any]:  # type: ignore[misc]
        return []


def _array(*args: Any) -> Array:
    return Array()


def _attribute(*args: Any) -> type[PassedOver]:
    return PassedOver


_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path", "PurePath")
_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
_RANDOM = (
    "_pickle.__randomstate_ctor", "_pickle.__generator_ctor", "_pickle.__bit_generator_ctor",
    "_mt19937.MT19937", "_pcg64.PCG64", "_pcg64.PCG64DXSM", "_philox.Philox", "_sfc64.SFC64",
    "bit_generator.SeedSequence", "bit_generator.SeedlessSeedSequence", "bit_generator.__pyx_unpickle_SeedSequence",
    "mtrand.RandomState", "_generator.Generator",
)  # fmt: skip
_SCALARS = (
    "bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
    "float64", "longdouble", "complex64", "complex128", "str_", "bytes_", "datetime64", "timedelta64",
)  # fmt: skip
_PLAIN = (
    "datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta", "datetime.timezone",
    "zoneinfo.ZoneInfo", "zoneinfo._common.load_tzdata", "pytz._UTC", "pytz._p", "pytz.tzinfo.StaticTzInfo",
    "dateutil.tz.tz.tzutc", "dateutil.tz.tz.tzlocal", "dateutil.tz.tz.tzfile", "dateutil.tz.tz.tzoffset",
    "uuid.UUID", "uuid.SafeUUID", "decimal.Decimal", "fractions.Fraction", "random.Random",
    "builtins.frozenset", "builtins.range", "builtins.slice", "builtins.int", "builtins.float", "builtins.bool",
    "builtins.str", "builtins.bytes", "builtins.tuple", "builtins.object", "builtins.NoneType", "builtins.Ellipsis",
    "copyreg._reconstructor", "torch.torch_version.TorchVersion", "torch.random.Generator",
    *(f"{module}.{name}" for module in ("pathlib", "pathlib._local") for name in _PATHS),
    *(f"numpy.random.{name}" for name in _RANDOM), *(f"numpy.{name}" for name in _SCALARS),
)  # fmt: skip
_TABLES = (
    "collections.defaultdict", "builtins.dict",
    "pytorch_lightning.utilities.parsing.AttributeDict", "lightning.pytorch.utilities.parsing.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict", "lightning.fabric.utilities.data.AttributeDict",
)  # fmt: skip

STAND_INS: list[tuple[Callable[..., Any], str]] = [
    *((PassedOver, name) for name in _PLAIN),
    *((_Table, name) for name in _TABLES),
    *((_List, name) for name in ("collections.deque", "builtins.list")),
    *((_array, f"{module}._reconstruct") for module in _NUMPY),
    *((_scalar, f"{module}.scalar") for module in _NUMPY),
    (Array, "numpy.ndarray"),
    (NumberType, "numpy.dtype"),
    (_attribute, "builtins.getattr"),
    (argparse.Namespace, "argparse.Namespace"),
    (argparse.Namespace, "types.SimpleNamespace"),
]
"""What torch's safe unpickler is given in the place of each name."""
