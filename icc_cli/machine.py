"""What this machine has left for us."""

import ctypes
import multiprocessing
import os
import sys
import threading
from multiprocessing.connection import wait
from pathlib import Path

LARGEST_KEPT = 32 * 2**20
"""Bytes of the largest array whose memory `keep_freed_memory` keeps: the most that glibc accepts."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""mallopt's parameters, from glibc's malloc.h."""


def free_memory() -> int:
    """Bytes of memory that are available, within the limit of the control group where there is one."""
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            free = 1024 * int(line.split()[1])
    limit, used = _lines("/sys/fs/cgroup/memory.max"), _lines("/sys/fs/cgroup/memory.current")
    if limit and used and limit[0].isdigit():
        free = min(free, int(limit[0]) - int(used[0]))
    return max(free, 0)


def keep_freed_memory() -> None:
    """Have this process keep the memory that it frees, for the next array, rather than hand it back to the system.

    A forward pass frees and takes arrays of megabytes by the hundred, and every page that comes back from the system
    is filled with zeros first: a fifth to a third of a small convolutional network's time on a CPU
    (docs/performance.md). glibc's allocator alone is told; arrays over 32 MiB are beyond what it can be told.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def end_with_parent() -> None:
    """End this worker process as soon as the process that started it has ended, however that was."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
