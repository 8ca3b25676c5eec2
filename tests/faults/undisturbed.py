"""What a command does to files when nothing disturbs it."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.faults import calls
from tests.faults.commands import left
from tests.faults.runner import attempt


@dataclass(frozen=True)
class Undisturbed:
    """The digests of all files before and after a command, its calls that write and read, as `name path`, and the bytes
    in `out`."""

    before: dict
    after: dict
    calls: list
    reads: list
    bytes: int


def undisturbed(command, given, folder):
    """Run a command in a fork; AssertionError when it fails."""
    told, *logs = (Path(folder, f"{command.name}.{name}") for name in ("told", calls.WRITES, calls.READS))
    if not told.exists():
        error = attempt(partial(_run, command, given, told, logs))
        assert not error, f"{command.name}: {error}"
    size, *parts = told.read_text().split("\n\n")
    before, after = (dict(line.split("\t") for line in part.splitlines()) for part in parts)
    return Undisturbed(before, after, *(log.read_text().splitlines() for log in logs), int(size))


def _run(command, given, told, logs):
    given.copy()
    before = left()
    writes, reads = map(calls.counted, logs)
    with calls.each(calls.WRITES, writes), calls.each(calls.READS, reads):
        done = command.run()
    assert done.code == 0, done.err
    size = sum(-(-path.stat().st_size // 4096) * 4096 for path in Path("out").rglob("*") if path.is_file())
    texts = ["\n".join(f"{path}\t{content}" for path, content in found.items()) for found in (before, left())]
    told.write_text("\n\n".join([str(size), *texts]))
