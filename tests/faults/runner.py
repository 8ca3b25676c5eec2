"""Runs what is tried of each kind in forks, with limits of time and memory, and counts what held.

A kind is a module with NAME, QUICK (how many `make test` tries, if any), and `tries(folder)`: pairs of a name, which
begins with a group and a colon (or `group(name)` says it), and of what raises AssertionError when it does not hold.
It is called in an empty folder of its own. With TOGETHER, so many share a fork, as long as none crashes or hangs.
"""

import contextlib
import itertools
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import forked

CPU_SECONDS, SECONDS = 10, 240
"""For one try: of the processor, and in all, since others may use the machine too."""
MEMORY = 2 * 2**30
"""Bytes that tries may take beyond what the process has that they are forked from."""
SECONDS_BETWEEN_LINES = 30
MOST_SHOWN = 10
"""Failures of one group that are printed."""


@dataclass
class Count:
    """What was tried of one group, and what of it failed: names and why."""

    tried: int = 0
    failed: list = field(default_factory=list)


def run(kind, tries, jobs, folder, first=False, named=""):
    """Counts by group of so many `tries` of a kind (None: all) whose name holds a text, tried by `jobs` processes.

    They are spread evenly over all that there are; the `first` ones where asked for, or where the kind is ENDLESS.
    """
    counts, pipes = defaultdict(Count), []
    for number in range(jobs):
        ours, theirs = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
            child = os.fork()
        if child == 0:
            os.close(ours)
            _work(kind, tries, first, named, (number, jobs), folder, theirs)
        os.close(theirs)
        pipes.append((child, ours))
    group = getattr(kind, "group", lambda name: name.partition(":")[0])
    said = time.monotonic()
    for name, error in _lines([pipe for _, pipe in pipes]):
        count = counts[group(name)]
        count.tried += 1
        if error:
            count.failed.append((name, error))
            if len(count.failed) <= MOST_SHOWN:
                print(f"FAILED {kind.NAME} / {name}\n    {error}", file=sys.stderr, flush=True)
        if time.monotonic() - said > SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            print(f"{kind.NAME}: {sum(one.tried for one in counts.values())} tried", file=sys.stderr, flush=True)
    for child, _ in pipes:
        _, status = os.waitpid(child, 0)
        if status:
            counts["the runner itself"].tried += 1
            counts["the runner itself"].failed.append((kind.NAME, f"ended with {os.waitstatus_to_exitcode(status)}"))
    return dict(counts)


def table(found):
    """A line of Markdown for each group of each kind, from counts by kind and group, and one of the sums."""
    rows = [
        (kind, group, count.tried, count.tried - len(count.failed), len(count.failed))
        for kind, counts in found.items()
        for group, count in counts.items()
    ]
    rows.append(("all", "", *(sum(row[place] for row in rows) for place in (2, 3, 4))))
    lines = ["| kind | what | tried | held | failed |", "|---|---|--:|--:|--:|"]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def attempt(do):
    """Why a try did not hold, in a line; "" when it did."""
    ((_, error),) = attempts([("", do)])
    return error


def attempts(tries):
    """The name of each try, and why it did not hold; in one fork, and in another after one that crashes or hangs."""
    while tries:
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(ours)
            _try_all(tries, theirs)
        os.close(theirs)
        done = 0
        for error in _told(child, ours):
            yield tries[done][0], error
            done += 1
        os.close(ours)
        _, status = os.waitpid(child, 0)
        if done < len(tries):
            how = os.waitstatus_to_exitcode(status)
            yield tries[done][0], "hangs" if how == -signal.SIGKILL else f"the process ended with {how}"
        tries = tries[done + 1 :]


def _told(child, pipe):
    """What a fork says of one try after another; it is ended when it says nothing for too long."""
    rest, before, end = b"", _cpu(child), time.monotonic() + SECONDS
    while True:
        ready, _, _ = select.select([pipe], [], [], 1)
        if not ready:
            if _cpu(child) - before > CPU_SECONDS or time.monotonic() > end:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)
                return
            continue
        content = os.read(pipe, 65536)
        if not content:
            return
        *whole, rest = (rest + content).split(b"\n")
        yield from map(json.loads, whole)
        before, end = _cpu(child), time.monotonic() + SECONDS


def _cpu(process):
    """Seconds of the processor that it has used."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _try_all(tries, pipe):
    os.setpgid(0, 0)
    above = Path.cwd()
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (forked._data() + MEMORY, most))
    for _, do in tries:
        folder = tempfile.mkdtemp(dir=above)
        os.chdir(folder)
        try:
            do()
            error = ""
        except AssertionError as failed:
            error = str(failed) or traceback.format_exc()
        except BaseException:
            error = traceback.format_exc()
        os.chdir(above)
        shutil.rmtree(folder, ignore_errors=True)
        os.write(pipe, json.dumps(" ".join(error.split())[-1500:]).encode() + b"\n")
    os._exit(0)


def _work(kind, tries, first, named, part, folder, pipe):
    """The tries of one of several processes, each told in a line."""
    number, jobs = part
    own = Path(folder, str(number))  # the same for all kinds, which come one after another and share what they prepare
    (own / "tries").mkdir(parents=True, exist_ok=True)
    os.chdir(own / "tries")
    try:
        listed = (one for one in kind.tries(own) if named in one[0])
        if tries is not None and not first and not getattr(kind, "ENDLESS", False):
            every = list(listed)
            tries = min(tries, len(every))
            listed = [every[place * len(every) // tries] for place in range(tries)]
        listed = itertools.islice(itertools.islice(listed, tries), number, None, jobs)
        while some := list(itertools.islice(listed, getattr(kind, "TOGETHER", 1))):
            for name, error in attempts(some):
                os.write(pipe, json.dumps([name, error]).encode() + b"\n")
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _lines(pipes):
    """What the processes say, until all have ended."""
    rest = dict.fromkeys(pipes, b"")
    while rest:
        for pipe in select.select(list(rest), [], [])[0]:
            content = os.read(pipe, 65536)
            if not content:
                os.close(pipe)
                del rest[pipe]
                continue
            *whole, rest[pipe] = (rest[pipe] + content).split(b"\n")
            yield from map(json.loads, whole)
