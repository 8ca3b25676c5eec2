"""Files that are absent or complete: written under a temporary name, then renamed. And what is no file at all."""

import contextlib
import errno
import glob
import os
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from icc_cli.errors import IccError, OutputError, UsageError

TEMPORARY_SUFFIX = ".tmp"
LONGEST_SHOWN = 300
"""Letters of a path in a message; what is longer is no path."""
NOTHING_THERE = {
    *(errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL),
    *(errno.EACCES, errno.EPERM),  # for us
}


@contextlib.contextmanager
def atomic_path(target: Path, first: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` when the block succeeds.

    The temporary name begins with a dot, so that no folder listing of ours takes it for a file, and holds
    the host and the process id, so that two workers on one target do not meet. Leftovers of dead processes
    of this host are removed. With `first`, a file that is at `target` by then stays there. A full disk or a
    folder that cannot be written raises OutputError or UsageError.
    """
    make_folder(target.parent)
    check_output(target)
    remove_leftovers(target)
    temporary = target.with_name(f".{target.name}.{socket.gethostname()}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        with output_errors(target):
            _watcher(temporary)
            yield temporary
            _sync(temporary)
            if first:
                with contextlib.suppress(FileExistsError):
                    os.link(temporary, target)
            else:
                temporary.replace(target)
    finally:
        _discard(temporary)


def write_atomically(target: Path, content: str | bytes) -> None:
    """Write `content` to `target` through a temporary name."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def remove_safely(files: Sequence[Path], successor: Path) -> None:
    """Remove `files` once `successor`, which was written in their stead, is on the disk under its name."""
    _sync(successor.parent)
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


def is_folder(path: Path) -> bool:
    """Whether a path that may be anything (too long, behind a folder that is not ours to read) is a folder.

    IccError when that cannot be told, because a disk or a file server fails.
    """
    return _is(stat.S_ISDIR, path)


def is_file(path: Path) -> bool:
    """The same of a plain file."""
    return _is(stat.S_ISREG, path)


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    try:
        return kind(path.stat().st_mode)
    except ValueError:  # a zero byte
        return False
    except OSError as error:
        check_told(error)
        return False


def check_told(error: OSError) -> None:
    """IccError unless what a call says is that nothing can be read at its path, rather than that it failed itself."""
    if error.errno not in NOTHING_THERE:
        raise IccError(f"cannot read {error.filename}: {error.strerror}.", "Run the same command again.") from error


def check_there(path: Path, pipes: bool = False, kind: type[IccError] = UsageError) -> None:
    """An error of `kind` unless there is a file or a folder at `path`, or with `pipes` a pipe, to be read only once.

    A device may have no end, and nobody may ever write to a pipe.
    """
    shown = str(path) if len(str(path)) <= LONGEST_SHOWN else f"{str(path)[:LONGEST_SHOWN]}..."
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise kind(f"there is no file {shown}.") from error
    except OSError as error:
        raise kind(f"there is no file {shown} that can be read: {error.strerror}.") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or (pipes and stat.S_ISFIFO(mode))):
        raise kind(f"{path} is a device, a pipe or a socket, not a file.")


def check_output(path: Path) -> None:
    """UsageError when `path` is there and is no file: to read it could last for ever, and to replace it is not ours."""
    with output_errors(path):
        if (path.exists() or path.is_symlink()) and not path.is_file():
            raise UsageError(f"cannot write {path}: it is there, and is not a file.", "Choose another with -o.")


@contextlib.contextmanager
def input_errors(path: Path, kind: type[IccError]) -> Iterator[None]:
    """Turn an error of the operating system, or a lack of memory, while what belongs to `path` is read into `kind`."""
    try:
        yield
    except OSError as error:
        raise kind(f"cannot read {error.filename or path}: {error.strerror or error}.") from error
    except MemoryError as error:
        raise kind(f"{path} asks for more memory than there is.", "Is the file damaged?") from error


@contextlib.contextmanager
def output_errors(target: Path) -> Iterator[None]:
    """Turn an operating-system error while writing `target` into an OutputError.

    Also one that a library has turned into another error, as torch.save and matplotlib do.
    """
    try:
        yield
    except IccError:
        raise
    except Exception as error:
        cause = _of_the_system(error)
        if cause is None:
            raise
        raise OutputError(
            f"cannot write {target}: {cause.strerror or cause}.",
            "Free some space or choose another folder with -o; finished files are kept.",
        ) from error


def _of_the_system(error: BaseException | None) -> OSError | None:
    """The OSError among an error and what it came from."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def watch_temporaries(watcher: Callable[[Path], None]) -> None:
    """Have `watcher` called with each temporary file before there is one, so that another process can remove it."""
    global _watcher
    _watcher = watcher


def _not_watched(path: Path) -> None:
    pass


_watcher: Callable[[Path], None] = _not_watched


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Flush `path` to the disk, so that a rename never precedes its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(target: Path) -> None:
    """Remove the temporary files of processes of this host that died while they wrote `target`."""
    prefix = f".{target.name}.{socket.gethostname()}."
    for leftover in target.parent.glob(f"{glob.escape(prefix)}*{TEMPORARY_SUFFIX}"):
        owner = leftover.name.removeprefix(prefix).removesuffix(TEMPORARY_SUFFIX)
        if owner.isdigit() and not _alive(int(owner)):
            _discard(leftover)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
