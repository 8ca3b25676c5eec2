"""Disks that fill up: of each size from nothing to enough, and at each call that writes.

A sentence that says so and exit code 1, nothing half, and what is finished is kept. With room, the command goes on.
"""

import ctypes
import errno
import os
from functools import partial
from pathlib import Path

from tests.faults import calls
from tests.faults.commands import COMMANDS, Given, goes_on, left, only_whole, save_every_epoch
from tests.faults.undisturbed import undisturbed

NAME = "full disk"
QUICK = 7
STEP = 8192
ENOUGH = 1 << 26


def tries(folder):
    save_every_epoch()
    given = Given(folder)
    mounts = _mounts(Path(folder))
    for command in (one for one in COMMANDS if "out" in one.arguments[-1]):
        whole = undisturbed(command, given, folder)
        if mounts:
            for size in range(4096, whole.bytes + STEP, max(STEP, whole.bytes // 12 // 4096 * 4096)):
                yield f"of each size: {command.name}, {size} bytes", partial(_small, command, given, size, whole)
        for number in range(1, len(whole.calls) + 1):
            do = partial(_full_from, command, given, number, whole)
            yield f"full from a call on: {command.name}, call {number} of {len(whole.calls)}", do


def _small(command, given, size, whole):
    given.copy()
    Path("out").mkdir()
    _mount("out", size)
    try:
        done = _refused(command, whole)
        _mount("out", ENOUGH, again=True)
        goes_on(command, done, whole)
    finally:
        ctypes.CDLL(None).umount2(b"out", 2)


def _full_from(command, given, number, whole):
    given.copy()
    with calls.each(calls.WRITES, calls.fail_at(number, errno.ENOSPC)):
        done = _refused(command, whole)
    goes_on(command, done, whole)


def _refused(command, whole):
    done = command.run()
    assert done.code in (0, 1, 2) and "Traceback" not in done.err, f"{done.code} {done.err[-600:]}"
    assert done.code == 0 or "No space left on device" in done.err, done.err[-600:]
    found = left()
    only_whole(whole.before, whole.after, found)
    rest = [path for path in found if path.endswith(".tmp")]
    assert not rest, f"left behind: {rest}"
    return done


def _mounts(folder):
    """Whether this process may mount file systems."""
    (folder / "mount").mkdir(exist_ok=True)
    if os.geteuid() or _mount(folder / "mount", STEP):
        return False
    return ctypes.CDLL(None).umount2(os.fsencode(folder / "mount"), 2) == 0


def _mount(folder, size, again=False):
    remount = 32
    options = f"size={size}".encode()
    return ctypes.CDLL(None).mount(b"tmpfs", os.fsencode(folder), b"tmpfs", remount * again, options)
