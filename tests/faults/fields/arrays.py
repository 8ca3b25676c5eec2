"""Fields of HDF5 and npz files: caches with their metadata, and arrays of data sets."""

import io
import zipfile
from collections.abc import Iterator
from functools import partial

import h5py
import numpy as np

from tests.faults import nasty
from tests.faults.fields.change import MISSING, Try, commands, json_changes
from tests.faults.files import Good

MEASURE = ("measure", "acts.h5", "--measures", "paper,outputs", "--k", "3", "-q", "-o", "out.json")
CACHE = (("inspect", "acts.h5"), MEASURE, ("plot", "neurons", "acts.h5", "-q"))


def caches(good: Good) -> Iterator[Try]:
    for place in good.cache_attributes():
        for name, value in {**nasty.attributes(), MISSING: None}.items():
            yield f"cache {place[0]}@{place[1]} = {name}", partial(_cache_file, good, _attribute, (*place, value, name))
    for place in good.cache_arrays():
        for name, value in {**nasty.arrays(good.count), MISSING: None}.items():
            yield f"cache {place} = {name}", partial(_cache_file, good, _array, (place, value, name))


def metadata(good: Good) -> Iterator[Try]:
    for version in good.caches:
        content = good.metadata(version)
        for name, text in json_changes(content, most=2):
            yield (
                f"metadata {version} {name}",
                partial(_cache_file, good, _attribute, ("/", "metadata", text, ""), version),
            )


def _cache_file(good, change, how, version="whole"):
    folder = good.fresh()
    path = good.copies(version, folder)[-1]
    with h5py.File(path, "r+") as file:
        change(file, *how)
    chain = [tuple(path.name if part == "acts.h5" else part for part in command) for command in CACHE]
    commands(path.with_name(path.name.partition(".")[0]), *chain)


def _attribute(file, place, attribute, value, name):
    if name == MISSING:
        del file[place].attrs[attribute]
    else:
        file[place].attrs[attribute] = value() if callable(value) else value


def _array(file, place, value, name):
    del file[place]
    if name != MISSING:
        file[place] = _stored(value)


def _stored(array):
    """The array as h5py writes it: text of one length, dates and objects in the kinds that HDF5 has."""
    if array.dtype.kind == "U":
        return array.astype(h5py.string_dtype())
    if array.dtype.kind in "Mm":
        return array.astype(np.int64)
    if array.dtype.kind == "O":
        return nasty.lists()
    return array


def arrays(good: Good) -> Iterator[Try]:
    for form, content in good.arrays().items():
        for place in content:
            for name, value in {**nasty.arrays(good.count), **nasty.stored(good.count), MISSING: None}.items():
                for kind in ("npz", "h5"):
                    yield (
                        f"arrays {kind} {form} {place} = {name}",
                        partial(_array_file, good, kind, content, place, value),
                    )


def _array_file(good, kind, content, place, value):
    folder = good.fresh()
    content = {name: array for name, array in content.items() if name != place}
    content |= {} if value is None else {place: value}
    path = folder / f"d.{kind}"
    if kind == "npz":
        np.savez(path, **content)
    else:
        with h5py.File(path, "w") as file:
            for name, array in content.items():
                file[name] = _stored(array)
    _extracted(good, path)


def npz(good: Good) -> Iterator[Try]:
    for name, content in _lying(good):
        yield f"npz {name}", partial(_npz_file, good, content)


def _npz_file(good, content):
    path = good.fresh() / "d.npz"
    path.write_bytes(content)
    _extracted(good, path)


def _extracted(good, path):
    data = ("--data", f"{path.suffix[1:]}:{path.name}", "--mean", "0.4", "--std", "0.3")
    images = b"images" in path.read_bytes()
    command = ("extract", good.plain, "-q", "-o", "net.h5", *good.model, *(data if images else data[:2]))
    commands(path, command, names=(path.name, good.plain.name))


def _lying(good):
    """(name, bytes) of .npz files whose headers lie, or that are something else."""
    stream = io.BytesIO()
    np.save(stream, good.images)
    yield "a single array", stream.getvalue()
    header = stream.getvalue()[10:].partition(b"\n")[0].decode()
    spoiled = {
        "2**37 rows": header.replace("(12, 8, 8)", f"({2**37}, 8, 8)"),
        "2**70 rows": header.replace("(12, 8, 8)", f"({2**70}, 8, 8)"),
        "5,000 digits": header.replace("(12, 8, 8)", f"({'1' * 5000}, 8, 8)"),
        "-1 rows": header.replace("(12, 8, 8)", "(-1, 8, 8)"),
        "text rows": header.replace("(12, 8, 8)", "('a', 8, 8)"),
        "float rows": header.replace("(12, 8, 8)", "(12.0, 8, 8)"),
        "True rows": header.replace("(12, 8, 8)", "(True, 8, 8)"),
        "no axes": header.replace("(12, 8, 8)", "()"),
        "a list of axes": header.replace("(12, 8, 8)", "[12, 8, 8]"),
        "100 axes": header.replace("(12, 8, 8)", f"({'1, ' * 100})"),
        "objects": header.replace("|u1", "|O"),
        "unknown type": header.replace("|u1", "|q9"),
        "empty type": header.replace("'|u1'", "''"),
        "wide text": header.replace("|u1", "<U1000000000"),
        "void": header.replace("|u1", "|V0"),
        "type of None": header.replace("'|u1'", "None"),
        "type of a number": header.replace("'|u1'", "3"),
        "type of lists": header.replace("'|u1'", "[('a', '|u1'), ('b', 'O')]"),
        "type of a type": header.replace("'|u1'", "[[[]]]"),
        "order": header.replace("False", "3"),
        "no fields": "{}",
        "a list": "[]",
        "code": "__import__('os')",
        "deep": "(" * 5000 + ")" * 5000,
        "brackets": "[" * 50_000,
        "a comma": "{'descr': '|u1', 'fortran_order': False, 'shape': (12, 8, 8), }, ",
        "NUL": "{'descr': '|u1\0', 'fortran_order': False, 'shape': (12, 8, 8), }",
        "more fields": header.replace("}", "'a': 1}"),
        "byte 255": "\xff" * 20,
    }
    for name, text in spoiled.items():
        body = text.encode("latin1") + b"\n"
        for version, length in ((1, 2), (2, 4)):
            if len(body) < 2 ** (8 * length):
                start = b"\x93NUMPY" + bytes([version, 0]) + len(body).to_bytes(length, "little") + body
                yield f"images header of {name} {version}", _archive(good, start + good.images.tobytes())
    long = b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little") + header.encode()
    yield "header of 4 GB", _archive(good, long)
    yield "version 9", _archive(good, b"\x93NUMPY\x09\x00" + header.encode())
    yield "no array", _archive(good, b"text")
    yield "an empty array", _archive(good, b"")
    yield "an empty archive", _archive(good, None)
    yield "text", b"images\n"
    yield "nothing", b""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("images.npy", stream.getvalue())
        archive.writestr("images.npy", stream.getvalue())
        archive.writestr("labels", b"labels")
        archive.writestr("../../labels.npy", b"labels")
    yield "names twice", packed.getvalue()


def _archive(good, content):
    stream, labels = io.BytesIO(), io.BytesIO()
    np.save(labels, good.labels)
    with zipfile.ZipFile(stream, "w") as archive:
        if content is not None:
            archive.writestr("images.npy", content)
            archive.writestr("labels.npy", labels.getvalue())
    return stream.getvalue()
