"""The calls by which a command changes or reads files, each a place to be killed at or to fail.

What a command of this process or of its forks does to files under the current folder goes through them, but for what
HDF5 does by itself: of that, each of h5py's functions is one call.
"""

import builtins
import contextlib
import errno
import io
import os
from pathlib import Path

import h5py
import safetensors.torch

KILLED = 137
WRITES, READS = "writes", "reads"


@contextlib.contextmanager
def each(kind, act):
    """Call `act(name, path)` before every call of a kind on a file under the current folder, in the block."""
    here = f"{Path.cwd().resolve()}{os.sep}"
    undo = []

    def on(name, path):
        if isinstance(path, int):
            with contextlib.suppress(OSError):
                path = Path(f"/proc/self/fd/{path}").readlink()
        if on.ours(path):
            act(name, os.path.abspath(path))  # noqa: PTH100

    on.ours = lambda path: isinstance(path, str | Path) and os.path.abspath(path).startswith(here)  # noqa: PTH100

    def patch(owner, attribute, make):
        real = getattr(owner, attribute)
        setattr(owner, attribute, make(real))
        undo.append((owner, attribute, real))

    for owner, attribute, make in (_writing if kind == WRITES else _reading)(on):
        patch(owner, attribute, make)
    try:
        yield
    finally:
        for owner, attribute, real in reversed(undo):
            setattr(owner, attribute, real)


def kill_at(number):
    """What ends the process at the call of this number, from 1, as a kill would."""
    return _at(number, lambda path: os._exit(KILLED))


def fail_at(number, code):
    """What makes the call of this number fail, and all that follow, with an error of the system (ENOSPC)."""

    def fail(path):
        raise OSError(code, os.strerror(code), path)

    return _at(number, fail, ever_after=code in (errno.ENOSPC, errno.EDQUOT))


def counted(path):
    """What writes a line for each call to the file at `path`, outside of the current folder."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    write = os.write
    return lambda name, file: write(descriptor, f"{name} {file}\n".encode())


def _at(number, do, ever_after=False):
    seen = 0

    def act(name, path):
        nonlocal seen
        if ever_after and seen >= number and name in ("unlink", "rmdir"):
            return  # a full disk does not keep anyone from removing files
        seen += 1
        if seen == number or (ever_after and seen > number):
            do(path)

    return act


def _before(on, name, place=0):
    """A wrapper of a function that says the path which is its argument at `place`."""

    def make(real):
        def call(*arguments, **named):
            on(name, arguments[place])
            return real(*arguments, **named)

        return call

    return make


def _writing(on):
    def opened(real):
        def call(path, flags, *rest, **named):
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                on("open", path)
            return real(path, flags, *rest, **named)

        return call

    class File(io.FileIO):
        def write(self, data):
            on("write", self.name)
            return super().write(data)

    def stream(real):
        def call(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
            if not on.ours(file) or not set(mode) & set("wax+"):
                return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
            on("open", file)
            raw = io.BufferedWriter(File(file, mode.replace("b", "").replace("t", "")))
            return raw if "b" in mode else io.TextIOWrapper(raw, encoding, errors, newline)

        return call

    def attribute(real):
        def call(attributes, name, value):
            on("write", h5py.h5f.get_name(attributes._id).decode())
            return real(attributes, name, value)

        return call

    def close(real):
        def call(file):
            if file.id.valid and file.mode != "r":
                on("write", file.filename)
            return real(file)

        return call

    def create(real):
        def call(file, name, mode="r", *rest, **named):
            if mode != "r":
                on("open", name)
            real(file, name, mode, *rest, **named)

        return call

    return [
        (os, "open", opened),
        (os, "write", _before(on, "write")),
        (os, "pwrite", _before(on, "write")),
        (os, "fsync", _before(on, "fsync")),
        (os, "replace", _before(on, "rename")),
        (os, "rename", _before(on, "rename")),
        (os, "link", _before(on, "rename", 1)),
        (os, "unlink", _before(on, "unlink")),
        (os, "rmdir", _before(on, "rmdir")),
        (os, "mkdir", _before(on, "mkdir")),
        (io, "open", stream),
        (builtins, "open", stream),
        (h5py.File, "__init__", create),
        (h5py.AttributeManager, "__setitem__", attribute),
        (h5py.File, "close", close),
    ]


def _reading(on):
    class File(io.FileIO):
        def readinto(self, buffer):
            on("read", self.name)
            return super().readinto(buffer)

        def readall(self):
            on("read", self.name)
            return super().readall()

    def stream(real):
        def call(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
            if not on.ours(file) or set(mode) & set("wax+"):
                return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
            on("open", file)
            raw = io.BufferedReader(File(file))
            return raw if "b" in mode else io.TextIOWrapper(raw, encoding, errors, newline)

        return call

    def of_data(real):
        def call(data, *arguments, **named):
            on("read", data.file.filename)
            return real(data, *arguments, **named)

        return call

    return [
        (os, "stat", _before(on, "stat")),
        (os, "preadv", _before(on, "read")),
        (os, "listdir", _before(on, "list")),
        (os, "scandir", _before(on, "list")),
        (io, "open", stream),
        (builtins, "open", stream),
        (h5py.File, "__init__", _before(on, "open", 1)),
        (h5py.Dataset, "__getitem__", of_data),
        (safetensors.torch, "load_file", _before(on, "read")),
    ]
