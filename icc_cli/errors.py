"""The one error tree. Each class carries the exit code that the command line returns for it.

A message says what is wrong (expected, got, which file) in one sentence, `hint` what to do in another,
and `details` may list up to ten lines (keys, globals, sites).
"""

from collections.abc import Sequence

DETAIL_LINES = 10


class IccError(Exception):
    """Anything that a user can cause or mend; shown without a traceback."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)

    def __reduce__(self) -> tuple[type["IccError"], tuple[str, str, tuple[str, ...]]]:
        return type(self), (self.message, self.hint, self.details)

    def __str__(self) -> str:
        lines = [" ".join(part for part in (self.message, self.hint) if part)]
        lines += [f"  {line}" for line in self.details[:DETAIL_LINES]]
        if len(self.details) > DETAIL_LINES:
            lines[-1] = f"  ... and {len(self.details) - DETAIL_LINES + 1} more"
        return "\n".join(lines)


class OutputError(IccError):
    """An output could not be written (disk full, folder not writable)."""


class UsageError(IccError):
    """The command line, or the data set it names, does not make sense."""

    exit_code = 2


class DataError(UsageError):
    """The data set named by --data cannot be read or is not what the specification asks for."""


class CheckpointError(IccError):
    """A checkpoint cannot be read safely, or does not fit its model or its data."""

    exit_code = 3


class FormatError(IccError):
    """A cache, record or table is damaged, incomplete, holds NaN, or is of an unknown version."""

    exit_code = 4
