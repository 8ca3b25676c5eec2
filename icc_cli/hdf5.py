"""HDF5 files that nobody vouches for.

On some damaged files HDF5 goes round in circles, in C, where neither a signal nor a time limit of Python reaches it. So
what is read of such a file is read in a fork first, which the system ends.
"""

import contextlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

CPU_SECONDS = 2
"""Of an honest file the structure is read in milliseconds of processor, however slow the disk."""
_ended: dict[tuple[str, Path, int, int, int], bool] = {}


def ends(path: Path, what: str, read: Callable[[Any], object]) -> bool:
    """Whether `read` of the h5py.File at `path` comes to an end, with whatever result or error.

    `what` names what is read: of a file that has not changed since, the same is not tried again.
    """
    try:
        found = path.stat()
    except OSError:
        return True
    state = (what, path.absolute(), found.st_ino, found.st_size, found.st_mtime_ns)
    if state not in _ended:
        _ended[state] = not hasattr(os, "fork") or _ends_in_a_fork(path, read)
    return _ended[state]


def _ends_in_a_fork(path: Path, read: Callable[[Any], object]) -> bool:
    import resource

    import h5py

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads: the fork uses none
        child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        with contextlib.suppress(BaseException), h5py.File(path, "r") as file:
            read(file)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
