"""What this process may use: its cores, GPUs and memory, rather than what the machine has."""

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from icc_cli.errors import IccError

CGROUPS = Path("/sys/fs/cgroup")
BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LARGEST_KEPT = 32 * 2**20
"""Bytes of the largest array whose memory `keep_freed_memory` keeps: the most that glibc accepts."""
LITTLE = 16 * 2**20
"""Bytes for which no machine is asked what it has."""
MEMORY_OF_TEXT = 4
"""Times its bytes that text takes while it is read."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""mallopt's parameters, from glibc's malloc.h."""


def cpus(environment: Mapping[str, str] = os.environ, cgroups: Path = CGROUPS) -> int:
    """Cores for this process: the least of Slurm's, the affinity mask's and the control group's, at least 1."""
    limits = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    for variable in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"):
        if environment.get(variable, "").isdecimal():
            limits.append(int(environment[variable]))
            break
    if (quota := _quota(cgroups)) is not None:
        limits.append(int(quota))
    return max(1, min(limits))


def _quota(cgroups: Path) -> float | None:
    """Cores that the control group grants, versions 2 and 1; None when it does not limit them."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join((cgroups / name).read_text() for name in names).split()
            if float(quota) > 0:
                return float(quota) / float(period)
        except (OSError, ValueError):
            continue
    return None


def gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The NVIDIA devices that this process sees, as CUDA_VISIBLE_DEVICES names them; no torch, no context."""
    if "CUDA_VISIBLE_DEVICES" in environment:
        return [name for name in environment["CUDA_VISIBLE_DEVICES"].split(",") if name.strip() and name != "-1"]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return [str(i) for i, _ in enumerate(line for line in listed.stdout.splitlines() if line.startswith("GPU "))]


def share_threads(processes: int) -> None:
    """Divide the cores between `processes` that do linear algebra.

    To be called before numpy or torch is imported: they read the variables once. What the user set stays.
    """
    for variable in ("OMP_NUM_THREADS", *BLAS_VARIABLES):
        os.environ.setdefault(variable, str(max(1, cpus() // processes)))


def own_threads(processes: int) -> int:
    """How many threads each of `processes` has for threads of our own, beside which BLAS is held to one.

    To be called before numpy is imported. OMP_NUM_THREADS limits them, where the user set it.
    """
    for variable in BLAS_VARIABLES:
        os.environ[variable] = "1"
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return int(limit) if limit.isdecimal() and int(limit) > 0 else max(1, cpus() // processes)


def torch_threads(processes: int) -> None:
    """Give torch, once `own_threads` was called, its share of the cores again. To be called before it is imported."""
    for variable in BLAS_VARIABLES:
        os.environ.pop(variable, None)
    share_threads(processes)


def check_memory(needed: float, what: str, error: type[IccError], hint: str = "", free: float | None = None) -> None:
    """An error, before `what` is begun, when it takes more bytes of memory than are free (by default, now)."""
    if needed <= LITTLE:
        return
    free = free_memory() if free is None else free
    if needed > free:
        size = f"{needed / 2**30:,.1f}" if needed < 2**60 else "over 10^9"
        raise error(f"{what} takes {size} GiB of memory, and {free / 2**30:,.1f} GiB are free.", hint)


def check_text(path: Path, error: type[IccError]) -> None:
    """An error, before a file of text is read as a whole, when that takes more memory than is free."""
    check_memory(MEMORY_OF_TEXT * path.stat().st_size, f"reading {path}", error)


def free_memory() -> int:
    """Bytes of memory that are available, within the limits of the control group and of `ulimit`."""
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            free = 1024 * int(line.split()[1])
    limit, used = _lines("/sys/fs/cgroup/memory.max"), _lines("/sys/fs/cgroup/memory.current")
    if limit and used and limit[0].isdigit():
        free = min(free, int(limit[0]) - int(used[0]))
    return int(max(min(free, _within_ulimit()), 0))


def _within_ulimit() -> float:
    """Bytes that this process may still take by the limits on its address space and on its data."""
    try:
        import resource
    except ImportError:  # not on Windows
        return math.inf
    taken = {"VmSize:": resource.RLIMIT_AS, "VmData:": resource.RLIMIT_DATA}
    found = [math.inf]
    for line in _lines("/proc/self/status"):
        name, _, rest = line.partition("\t")
        if name in taken and (most := resource.getrlimit(taken[name])[0]) != resource.RLIM_INFINITY:
            found.append(most - 1024 * int(rest.split()[0]))
    return min(found)


def keep_freed_memory(largest: int = LARGEST_KEPT, most: int = 2**31 - 1) -> None:
    """Have this process keep the memory that it frees, for the next array, rather than hand it back to the system.

    So it does for arrays of at most `largest` bytes, and with about `most` bytes in all. A forward pass frees and takes
    arrays of megabytes by the hundred, and every page that comes back from the system is filled with zeros first: a
    fifth to a third of a small convolutional network's time on a CPU (docs/performance.md). glibc's allocator alone is
    told; it decides for itself until then, and after a large array keeps twice its size.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # which takes milliseconds, and few commands need it

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, largest)
        mallopt(_M_TRIM_THRESHOLD, most)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
