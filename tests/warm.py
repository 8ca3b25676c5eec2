"""`icc` in a process of its own without the seconds that importing torch takes: forks of one process that has it.

A fork is a process like any other: its own arguments, folder, environment, streams and exit code. What a fresh process
imports, how fast it starts and how much memory it takes is for the tests that start one.
"""

import atexit
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
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
    """The process that is forked; one for each process of pytest. It listens at `address`."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self.address = str(Path(self._folder.name, "icc"))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        ready, theirs = os.pipe()
        command = [sys.executable, __file__, "serve", self.address, str(theirs)]
        self._process = subprocess.Popen(command, env=environment, pass_fds=[theirs])
        os.close(theirs)
        os.read(ready, 1)
        os.close(ready)
        atexit.register(self._process.kill)

    def run(self, arguments, cwd, stdin, timeout, env):
        """As subprocess.run of `icc`, outputs captured as text."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write((stdin or "").encode())
            given.seek(0)
            streams = [stream.fileno() for stream in (given, out, err)]
            code = ask(self.address, arguments, str(cwd or Path.cwd()), env, streams, timeout)
            for stream in (out, err):
                stream.seek(0)
            return subprocess.CompletedProcess(["icc", *arguments], code, out.read().decode(), err.read().decode())


def ask(address, arguments, cwd, env, streams, timeout=None):
    """Have the server at `address` run a command with these streams; its exit code."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        asking.connect(address)
        socket.send_fds(asking, [json.dumps({"arguments": arguments, "cwd": cwd, "env": env}).encode()], streams)
        pid = int(asking.recv(64))
        asking.settimeout(timeout)
        try:
            return os.waitstatus_to_exitcode(int(asking.recv(64)))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(["icc", *arguments], timeout) from None


def serve(address, ready):
    for name in LOADED:
        __import__(name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address)
        listening.listen()
        os.close(ready)
        while True:
            asking, _ = listening.accept()
            while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG) if _children else None:
                _children.pop()
            if os.fork() == 0:
                listening.close()
                _answer(asking)
            _children.append(None)
            asking.close()


_children = []
"""One for each fork that may still have to be waited for."""


def _answer(asking):
    """Run what is asked for in a fork of this fork, and tell its number and how it ended."""
    asked, streams, _, _ = socket.recv_fds(asking, 1 << 20, 3)
    pid = os.fork()
    if pid == 0:
        asking.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        _become(json.loads(asked))
    for stream in streams:
        os.close(stream)
    asking.send(str(pid).encode())
    asking.send(str(os.waitpid(pid, 0)[1]).encode())
    os._exit(0)


def _become(asked):
    """Be the command that is asked for, and end as it does."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    extra = [part for part in asked["env"].get("PYTHONPATH", "").split(os.pathsep) if part]
    sys.path[:] = ["", *extra, *(part for part in sys.path if part not in extra and part != str(Path(__file__).parent))]
    # They are not closed when others are put in their place.
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww"))
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
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:  # a command of a shell: warm.py ADDRESS ARGUMENTS...
        code = ask(sys.argv[1], sys.argv[2:], str(Path.cwd()), dict(os.environ), [0, 1, 2])
        sys.exit(128 - code if code < 0 else code)
