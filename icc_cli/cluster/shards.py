"""Which inputs each of several workers takes, so that none talks to another."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from icc_cli.errors import FormatError, UsageError
from icc_cli.files import atomic_path, remove_leftovers
from icc_cli.shapes import fields, natural, parsed, require, unknown, words

COST_OF_AN_INPUT = 1_000_000
"""Bytes that opening one more input costs as much as: thousands of tiny files are then split by their number."""


@dataclass(frozen=True)
class Shard:
    """Part `index` (1 to `count`) of a list of inputs."""

    index: int
    count: int


def parse(text: str) -> Shard:
    """`3/8` as a Shard; UsageError for anything else."""
    first, _, second = text.partition("/")
    if not (first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second)):
        raise UsageError(f"--shard {text!r} is not i/n with 1 <= i <= n.", "The third of eight parts is 3/8.")
    return Shard(int(first), int(second))


def split(sizes: Sequence[tuple[str, int]], count: int) -> list[list[int]]:
    """The indices of the (name, bytes) in `sizes` that each of `count` shards takes, in their order.

    The largest input first, each goes to the shard with the least so far: no shard has more than 4/3 of the
    least possible. It depends on the names and sizes alone, not on their order in the list.
    """
    loads, parts = [0] * count, [list[int]() for _ in range(count)]
    for index in sorted(range(len(sizes)), key=lambda i: (-sizes[i][1], sizes[i][0])):
        lightest = min(range(count), key=loads.__getitem__)
        loads[lightest] += sizes[index][1] + COST_OF_AN_INPUT
        parts[lightest].append(index)
    return [sorted(part) for part in parts]


@dataclass(frozen=True)
class Listed:
    """An input as a list of inputs holds it: where it is, what its outputs are named after, its bytes."""

    path: str
    name: str
    size: int


_LISTED = fields({"path": words, "name": words, "size": natural}, {}, unknown("path", "name", "size"))


def fixed(file: Path, found: Sequence[Listed]) -> list[Listed]:
    """The list in `file`; when there is none yet, `found` becomes it.

    Of several workers that start together one decides: all take the same list, however the folder changes
    while they run or are run again.
    """
    remove_leftovers(file)
    if not file.exists():
        with atomic_path(file, first=True) as temporary:
            temporary.write_text("".join(json.dumps(vars(item)) + "\n" for item in found), encoding="utf-8")
    hint = "Submit the command again."
    try:
        kept = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{file} is not a list of inputs: {error}.", hint) from error
    listed = []
    for number, line in enumerate(kept, 1):
        content = parsed(line, f"{file} line {number}", hint)
        require(_LISTED, content, f"{file} line {number}", hint)
        listed.append(Listed(**content))
    return listed
