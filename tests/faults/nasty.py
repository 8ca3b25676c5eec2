"""Values that no field of a good file has, for each format that icc reads."""

import functools
import warnings
from pathlib import Path

import h5py
import numpy as np
import torch

LONG = "x" * 100_000
DEEP = 200


def _deep(depth, wrap, inner=None):
    for _ in range(depth):
        inner = wrap(inner)
    return inner


@functools.cache
def python_values():
    """By name, what torch.save stores."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _python_values()


def _python_values():
    return {
        "None": None,
        "True": True,
        "-1": -1,
        "0": 0,
        "1.5": 1.5,
        "2**63": 2**63,
        "10**400": 10**400,
        "10**5000": 10**5000,
        "nan": float("nan"),
        "inf": float("inf"),
        "empty text": "",
        "text": "text",
        "long text": LONG,
        "NUL": "a\0b",
        "surrogate": "\ud800",
        "bytes": b"abc",
        "byte 255": b"\xff",
        "empty list": [],
        "list of list": [[]],
        "list of numbers": [1, 2.5],
        "list of text": ["a"],
        "empty dict": {},
        "dict": {"a": 1},
        "tuple keys": {(1, 2): 3},
        "number keys": {1: 2},
        "deep lists": _deep(DEEP, lambda inner: [inner]),
        "deep dicts": _deep(DEEP, lambda inner: {"a": inner}),
        "set": {1, 2},
        "frozenset": frozenset({1}),
        "complex": 1 + 2j,
        "path": Path("a/b"),
        "tensor": torch.ones(2, 3),
        "tensor of one": torch.tensor(3.0),
        "tensor of nan": torch.tensor(float("nan")),
        "empty tensor": torch.empty(0),
        "complex tensor": torch.tensor(1 + 2j),
        "sparse": torch.eye(2).to_sparse(),
        "sparse rows": torch.eye(2).to_sparse_csr(),
        "meta": torch.empty(2, 2, device="meta"),
        "quantised": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        "numpy number": np.float64(1.5),
        "numpy int": np.int64(3),
        "numpy array": np.ones(2),
        "numpy text": np.array(["a"]),
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "size": torch.Size([1, 2]),
    }


def json_values():
    """By name, text that stands for a value in JSON, NaN and infinity as Python writes them."""
    return {
        "null": "null",
        "true": "true",
        "-1": "-1",
        "0": "0",
        "1.5": "1.5",
        "2**63": "9223372036854775808",
        "10**400": "1" + "0" * 400,
        "5,000 digits": "1" + "0" * 5000,
        "NaN": "NaN",
        "Infinity": "Infinity",
        "-Infinity": "-Infinity",
        "1e999": "1e999",
        "empty text": '""',
        "text": '"text"',
        "long text": f'"{LONG}"',
        "NUL": '"a\\u0000b"',
        "surrogate": '"\\ud800"',
        "control": '"\\u001b[31m\\n\\r\\t"',
        "empty list": "[]",
        "list of list": "[[]]",
        "list of numbers": "[1, 2.5]",
        "list of objects": '[{"a": 1}]',
        "empty object": "{}",
        "object": '{"a": 1}',
        "object of objects": '{"a": {"b": 1}}',
        "empty name": '{"": null}',
        "surrogate name": '{"\\ud800": 1}',
        "deep lists": "[" * DEEP + "]" * DEEP,
        "deep objects": '{"a": ' * DEEP + "1" + "}" * DEEP,
        "100,000 levels": "[" * 100_000 + "]" * 100_000,
    }


def toml_values():
    """By name, text that stands for a value in TOML."""
    return {
        "true": "true",
        "-1": "-1",
        "0": "0",
        "1.5": "1.5",
        "2**63": "9223372036854775808",
        "10**400": "1" + "0" * 400,
        "5,000 digits": "1" + "0" * 5000,
        "float of 5,000 digits": "1" + "0" * 5000 + ".0",
        "nan": "nan",
        "inf": "inf",
        "empty text": '""',
        "text": '"text"',
        "long text": f'"{LONG}"',
        "NUL": '"a\\u0000b"',
        "slashes": '"../../a/b"',
        "date": "1979-05-27T07:32:00Z",
        "time": "07:32:00",
        "empty list": "[]",
        "list of list": "[[]]",
        "list of numbers": "[1, 2.5]",
        "list of text": '["a", "b"]',
        "list of tables": "[{a = 1}]",
        "list of names": '[{names = ["q"], values = [[1]]}]',
        "empty table": "{}",
        "table": "{a = 1}",
        "table of a list": "{a = [1, 2]}",
        "deep lists": "[" * DEEP + "]" * DEEP,
        "deep tables": "{a = " * DEEP + "1" + "}" * DEEP,
        "100,000 levels": "[" * 100_000 + "]" * 100_000,
    }


def cells():
    """By name, text of one cell of a table."""
    return {
        "empty": "",
        "blank": "  ",
        "-1": "-1",
        "10**400": "1" + "0" * 400,
        "5,000 digits": "1" + "0" * 5000,
        "nan": "nan",
        "inf": "inf",
        "1e999": "1e999",
        "underscore": "1_0",
        "text": "text",
        "long text": LONG,
        "200,000 letters": LONG * 2,
        "NUL": "a\0b",
        "byte 255": "\udcff",
        "quote": '"',
        "newline": '"a\nb"',
        "list": "[1; 2]",
        "dict": "{'a': 1}",
        "deep": "{'a': " * DEEP + "1" + "}" * DEEP,
        "brackets": "{" + "[" * 5000 + "]" * 5000 + "}",
        "formula": "=1+1",
        "percent": "85 %",
        "arabic": "\u0663",
        "another cell": "1,2",
        "control": "\x1b[31m",
    }


def attributes():
    """By name, values of an HDF5 attribute."""
    return {
        "null": h5py.Empty("f"),
        "null text": h5py.Empty(h5py.string_dtype()),
        "True": True,
        "-1": -1,
        "0": 0,
        "1.5": 1.5,
        "2**63": np.uint64(2**63),
        "nan": np.nan,
        "inf": np.inf,
        "empty text": "",
        "text": "text",
        "long text": "x" * 60_000,
        "surrogate": np.bytes_(b"\xed\xa0\x80"),
        "bytes": np.bytes_(b"abc"),
        "byte 255": np.bytes_(b"\xff"),
        "text of byte 255": h5py_text(b"\xff"),
        "numbers": np.arange(3),
        "one number": np.array([2]),
        "no number": np.empty(0, np.int64),
        "table": np.zeros((2, 2)),
        "texts": np.array(["a", "b"], dtype=h5py.string_dtype()),
        "complex": 1 + 2j,
        "record": np.zeros((), [("a", "i4"), ("b", "f4")]),
        "opaque": np.void(b"abc"),
        "float16": np.float16(1),
        "enumeration": np.array(1, dtype=h5py.enum_dtype({"a": 1})),
        "lists": lists(),
    }


def lists():
    """Lists of several lengths, which h5py reads as an array of objects."""
    found = np.empty(2, dtype=h5py.vlen_dtype(np.int64))
    found[0], found[1] = np.arange(2), np.arange(3)
    return found


def h5py_text(content):
    """Bytes that call themselves UTF-8."""
    return np.array(content, dtype=h5py.string_dtype("utf-8", len(content)))


def arrays(count):
    """By name, arrays in the place of one of `count` samples."""
    return {
        "one": np.float32(1),
        "none": np.empty(0, np.float32),
        "no row": np.empty((0, 8, 8), np.uint8),
        "no column": np.empty((count, 0), np.float32),
        "too short": np.zeros(count - 1, np.int64),
        "numbers": np.arange(count),
        "32 bits": np.arange(count, dtype=np.int32),
        "floats": np.ones(count),
        "nan": np.full((count, 4), np.nan, np.float32),
        "negative": np.full(count, -1),
        "2**31": np.full(count, 2**31),
        "2**62": np.full(count, 2**62),
        "2**63": np.full(count, 2**63, np.uint64),
        "bool": np.ones(count, bool),
        "complex": np.ones(count, complex),
        "text": np.array(["a"] * count),
        "bytes": np.array([b"\xff"] * count),
        "longdouble": np.ones(count, np.longdouble),
        "record": np.zeros(count, [("a", "i4")]),
        "1 x n": np.zeros((1, count), np.int64),
        "n x 1": np.zeros((count, 1), np.float32),
        "n x 2": np.zeros((count, 2), np.int64),
        "five axes": np.zeros((count, 2, 2, 2, 2), np.uint8),
        "no pixels": np.zeros((count, 0, 0), np.uint8),
        "pixels": np.zeros((count, 8, 8), np.uint8),
        "big-endian": np.arange(count).astype(">i8"),
    }


def stored(count):
    """By name, arrays that a file may hold and that are no numbers."""
    objects = np.array([{"a": 1}] * count, dtype=object)
    return {
        "objects": objects,
        "one object": np.array({"a": 1}, dtype=object),
        "dates": np.zeros(count, "datetime64[s]"),
        "no text": np.array([], dtype="U1"),
        "records within": np.zeros(count, [("a", "O")]) if count < 0 else np.zeros(count, [("a", "f4", (2,))]),
    }
