"""Files that are absent or complete: written under a temporary name, then renamed."""

import contextlib
import glob
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from icc_cli.errors import OutputError, UsageError

TEMPORARY_SUFFIX = ".tmp"


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` when the block succeeds.

    The temporary name begins with a dot, so that no folder listing of ours takes it for a file, and holds
    the host and the process id, so that two workers on one target do not meet. Leftovers of dead processes
    of this host are removed. A full disk or a folder that cannot be written raises OutputError or UsageError.
    """
    make_folder(target.parent)
    _remove_leftovers(target)
    temporary = target.with_name(f".{target.name}.{socket.gethostname()}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        with output_errors(target):
            yield temporary
            _sync(temporary)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(target: Path, content: str | bytes) -> None:
    """Write `content` to `target` through a temporary name."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def remove_safely(files: Sequence[Path], successor: Path) -> None:
    """Remove `files` once `successor`, which was written in their stead, is on the disk under its name."""
    descriptor = os.open(successor.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for file in files:
        file.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create `folder` and its parents; UsageError when that, or writing in it, is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot create the output folder {folder}: {error.strerror}.", "Choose another with -o."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"the output folder {folder} is not writable.", "Choose another with -o.")


@contextlib.contextmanager
def output_errors(target: Path) -> Iterator[None]:
    """Turn an operating-system error while writing `target` into an OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}.",
            "Free some space or choose another folder with -o; finished files are kept.",
        ) from error


def _sync(path: Path) -> None:
    """Flush `path` to the disk, so that a rename never precedes its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_leftovers(target: Path) -> None:
    prefix = f".{target.name}.{socket.gethostname()}."
    for leftover in target.parent.glob(f"{glob.escape(prefix)}*{TEMPORARY_SUFFIX}"):
        owner = leftover.name.removeprefix(prefix).removesuffix(TEMPORARY_SUFFIX)
        if owner.isdigit() and not _alive(int(owner)):
            leftover.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
