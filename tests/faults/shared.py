"""A machine that is shared: a file server that fails, two users in one folder, a clock that goes back."""

import errno
import os
import threading
import time
from functools import partial
from pathlib import Path

from icc_cli.files import write_atomically
from tests.faults import calls
from tests.faults.commands import COMMANDS, Given, goes_on, left, only_whole, same, save_every_epoch
from tests.faults.undisturbed import undisturbed

NAME = "shared machine"
QUICK = 7
ERRORS = (errno.ESTALE, errno.EIO)
SOMEBODY, ANYBODY = 65533, 65534


def tries(folder):
    save_every_epoch()
    given = Given(folder)
    if os.geteuid() == 0:
        yield "two users: a dead process of another user has left a file", _anothers_leftover
    for command in COMMANDS:
        whole = undisturbed(command, given, folder)
        if "--remove-caches" not in command.arguments:  # which finds nothing when it comes second
            yield f"two users: {command.name}", partial(_at_once, command, given, whole)
            yield f"the clock goes back: {command.name}", partial(_backwards, command, given, whole)
        for kind, listed in ((calls.WRITES, whole.calls), (calls.READS, whole.reads)):
            for number, line in enumerate(listed, 1):
                what = f"{command.name}, call {number} of {len(listed)}, {line.partition(' ')[0]}"
                do = partial(_fails, command, given, whole, kind, number, ERRORS[number % 2])
                yield f"a file server fails {kind[:-1]}s: {what}", do


def _fails(command, given, whole, kind, number, code):
    given.copy()
    with calls.each(kind, calls.fail_at(number, code)):
        done = command.run()
    assert done.code in range(5) and "Traceback" not in done.err, f"{done.code} {done.err[-900:]}"
    only_whole(whole.before, whole.after, left())
    goes_on(command, done, whole)


def _at_once(command, given, whole):
    given.copy()
    ends = []
    runs = [threading.Thread(target=lambda: ends.append(command.run())) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    codes = [done.code for done in ends]
    assert codes == [0, 0], f"{codes} {[done.err[-600:] for done in ends]}"
    same(left(), whole)


def _backwards(command, given, whole):
    given.copy()
    now = time.time()
    for path in Path().rglob("*"):
        os.utime(path, (now + 1e7, now + 1e7))
    earlier = iter(range(10**9))
    time.time = lambda: now - 3600 * next(earlier)
    for _ in range(2):
        done = command.run()
        assert done.code == 0, f"{done.code} {done.err[-600:]}"
        same(left(), whole)


def _anothers_leftover():
    """In a folder like /tmp nobody may remove another's file; that must not keep anyone from writing."""
    Path.cwd().chmod(0o1777)
    for folder in Path.cwd().parents:
        if folder.stat().st_mode & 0o055 != 0o055:
            folder.chmod(folder.stat().st_mode | 0o011)
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    name = f".a.json.{os.uname().nodename}.{child}.tmp"
    Path(name).touch()
    os.chown(name, SOMEBODY, SOMEBODY)
    os.seteuid(ANYBODY)
    write_atomically(Path("a.json"), "{}")
    os.seteuid(0)
    assert Path("a.json").read_text() == "{}" and Path(name).exists()
