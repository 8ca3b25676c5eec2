"""Every command that writes, killed at each of its calls that change a file: all is absent or complete.

Run again, the command gives what an undisturbed one gives, and nothing is left beside it.
"""

from functools import partial

from tests.faults import calls
from tests.faults.commands import COMMANDS, Given, goes_on, left, only_whole, save_every_epoch
from tests.faults.undisturbed import undisturbed

NAME = "killed at a write"
QUICK = 8


def tries(folder):
    save_every_epoch()
    given = Given(folder)
    for command in COMMANDS:
        whole = undisturbed(command, given, folder)
        yield f"{command.name}: on the disk before it has its name", partial(_synced, whole.calls)
        for number, line in enumerate(whole.calls, 1):
            name = f"{command.name}: call {number} of {len(whole.calls)}, {line.partition(' ')[0]}"
            yield name, partial(_killed, command, given, number, whole)


def _synced(listed):
    """Whatever is renamed has been flushed to the disk since it was written."""
    dirty = {}
    renamed = 0
    for line in listed:
        name, _, path = line.partition(" ")
        if name in ("open", "write"):
            dirty[path] = True
        elif name == "fsync":
            dirty[path] = False
        elif name == "rename" and path.endswith(".tmp"):
            renamed += 1
            assert dirty.get(path) is False, f"{path} is renamed before it is on the disk"
    assert renamed, "nothing was renamed"


def _killed(command, given, number, whole):
    given.copy()
    with calls.each(calls.WRITES, calls.kill_at(number)):
        done = command.run()
    assert done.code == calls.KILLED, f"not killed: {done.code} {done.err}"
    only_whole(whole.before, whole.after, left())
    goes_on(command, done, whole)
