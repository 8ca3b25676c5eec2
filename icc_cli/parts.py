"""One cache in several files, each with a part of the rows, as the tasks of an array write it."""

import re
from dataclasses import dataclass
from pathlib import Path

from icc_cli.errors import FormatError, UsageError

NAME = re.compile(r"(.+)\.(\d+)of(\d+)(\.h5)")
"""`net.3of8.h5`, the third of the eight parts of `net.h5`."""
HINT = "Extract the part that is missing or of another run, with the options of the others."


@dataclass(frozen=True)
class Part:
    """The i-th of n parts of the rows: `3/8` of a command, `3of8` in the name of a file."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Of `3/8`. UsageError when it is something else."""
        match = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text)
        if match is None or int(match[1]) > int(match[2]):
            raise UsageError(f"--rows {text!r} is not i/n with 1 <= i <= n.", "The third of eight parts is 3/8.")
        return cls(int(match[1]), int(match[2]))

    def path(self, whole: Path) -> Path:
        """The file of this part of the cache that would be at `whole`."""
        return whole.with_name(f"{whole.stem}.{self.index}of{self.count}{whole.suffix}")

    def slice(self, rows: int) -> slice:
        """Its rows, of so many in all."""
        return slice(rows * (self.index - 1) // self.count, rows * self.index // self.count)


def whole_of(path: Path) -> Path | None:
    """What the cache is called that the file at `path` is a part of, by its name; None for a cache in one file."""
    match = NAME.fullmatch(path.name)
    return path.with_name(match[1] + match[4]) if match else None


def siblings(path: Path) -> list[Path]:
    """The files of all parts of the cache that `path` is a part of, in the order of their rows, there or not.

    FormatError when `path` is not named as a part.
    """
    match = NAME.fullmatch(path.name)
    if match is None:
        raise FormatError(f"{path} holds a part of the rows of a cache, and its name does not say which.", HINT)
    count = int(match[3])
    return [Part(index + 1, count).path(path.with_name(match[1] + match[4])) for index in range(count)]
