"""`icc` in a fork of this process, with a limit of time and of memory: what it printed, and how it ended."""

import contextlib
import gc
import importlib
import os
import pkgutil
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

SECONDS = 10
"""Of processor, after which a command counts as hung; and of the clock on a machine that has other work: ..."""
SLOWEST = 6
"""... so many times these."""
MEMORY = 2 * 2**30
UNHANDLED = 99
CODES = (0, 1, 2, 3, 4)
LATE = (
    "h5py",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
    "PIL.Image",
    "pydantic",
    "scipy.stats",
    "sklearn.datasets",
    "torch._dynamo",
    "torch.utils.serialization.config",
)
"""What commands import of others as they go."""


def import_all():
    """Have all imported that commands import, so that no fork has to."""
    import icc_cli

    ours = (found.name for found in pkgutil.walk_packages(icc_cli.__path__, "icc_cli."))
    for name in (*ours, *LATE):
        if not name.startswith(("icc_cli.__main__", "icc_cli.integrations")):
            importlib.import_module(name)
    sys.modules["torch"].set_num_threads(1)  # a fork has no other threads, and would wait for them
    gc.freeze()  # so that forks touch less


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (None: it hung and was killed), its outputs, its processor seconds."""

    code: int | None
    out: str
    err: str
    seconds: float


def ended(*arguments, cwd=None, seconds=SECONDS, memory=MEMORY, env=None):
    """Run `icc` with these arguments, allowed `memory` bytes beyond what this process has."""
    from icc_cli.cli import app  # so that forks find it imported

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            _become(app, [str(argument) for argument in arguments], cwd, (out, err), seconds, memory, env)
        code, used = _waited(child, SLOWEST * seconds)
        code = None if code in (-signal.SIGXCPU, -signal.SIGKILL) else code
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
        return Ended(code, *texts, used)


def holds(*arguments, allowed=CODES, **how):
    """Run `icc`; AssertionError when it hung, left an exception unhandled, or ended with another code than these."""
    found = ended(*arguments, **how)
    shown = f"icc {' '.join(map(str, arguments))}: "
    assert found.code is not None, f"{shown}hung; {_last(found.err)}"
    assert found.code in allowed and "Traceback (most" not in found.err, f"{shown}{found.code}; {_last(found.err)}"
    assert found.code == 0 or "icc: " in found.err or "Error" in found.err, f"{shown}{found.code} without a word"
    assert "Warning: " not in found.err, f"{shown}{_last(found.err)}"
    return found


def _last(text):
    """The end of what was said: the last frame of a traceback that is ours, and its error."""
    lines = [line.strip() for line in text.strip().splitlines()]
    frames = [line for line in lines if "icc_cli" in line and line.startswith("File")]
    return " | ".join([*frames[-1:], *lines[-1:]])[:400]


def _waited(child, seconds):
    end = time.monotonic() + seconds
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
        if time.monotonic() > end:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            _, _, usage = os.wait4(child, 0)
            return None, usage.ru_utime + usage.ru_stime
        time.sleep(0.002)


def _become(app, arguments, cwd, streams, seconds, memory, env):
    code = UNHANDLED
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, stream in enumerate(streams, 1):
            os.dup2(stream.fileno(), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        os.environ.update(env or {})
        os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"
        if cwd:
            os.chdir(cwd)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        limit = _data() + memory
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        sys.argv = ["icc", *arguments]
        app(arguments)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _data():
    """Bytes of this process' data segment."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return 1024 * int(line.split()[1])
    return 0
