"""`icc` in a process of its own without the seconds that importing torch takes: forks of one process that has it.

A fork is a process like any other: its own arguments, folder, environment, streams and exit code. What a fresh process
imports, how fast it starts and how much memory it takes is for the tests that start one.
"""

import atexit
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOADED = (
    "torch",
    "h5py",
    "typer",
    "icc_cli.cli",
    "icc_cli.extraction",
    "icc_cli.measuring",
    "icc_cli.data",
)


class Server:
    """The process that is forked. One for each process of pytest, one command at a time."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        self._lock = threading.Lock()
        atexit.register(self._process.kill)

    def run(self, arguments, cwd, stdin, timeout, env):
        """As subprocess.run of `icc`, outputs captured as text."""
        with self._lock, tempfile.TemporaryDirectory() as folder:
            streams = [str(Path(folder, name)) for name in ("in", "out", "err")]
            Path(streams[0]).write_text(stdin or "")
            asked = {"arguments": arguments, "cwd": str(cwd or Path.cwd()), "streams": streams, "env": env}
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            pid = int(self._process.stdout.readline())
            if not select.select([self._process.stdout], [], [], timeout)[0]:
                os.kill(pid, signal.SIGKILL)
                self._process.stdout.readline()
                raise subprocess.TimeoutExpired(["icc", *arguments], timeout)
            code = os.waitstatus_to_exitcode(int(self._process.stdout.readline()))
            out, err = (Path(stream).read_bytes().decode() for stream in streams[1:])
        return subprocess.CompletedProcess(["icc", *arguments], code, out, err)


def serve():
    for name in LOADED:
        __import__(name)
    told = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            told.close()
            _become(asked)
        print(pid, file=told, flush=True)
        print(os.waitpid(pid, 0)[1], file=told, flush=True)


def _become(asked):
    """Be the command that is asked for, and end as it does."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    extra = [part for part in asked["env"].get("PYTHONPATH", "").split(os.pathsep) if part]
    sys.path[:] = ["", *extra, *(part for part in sys.path if part not in extra and part != str(Path(__file__).parent))]
    flags = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)
    for number, (stream, flag) in enumerate(zip(asked["streams"], flags, strict=True)):
        opened = os.open(stream, flag, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["icc", *asked["arguments"]]
    code = 0
    try:
        runpy.run_module("icc_cli", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 120
    os._exit(code)


if __name__ == "__main__":
    serve()
