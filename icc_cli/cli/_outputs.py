"""Where the output of each input goes, and what is never overwritten."""

from pathlib import Path

from icc_cli.cli._inputs import Input
from icc_cli.errors import UsageError
from icc_cli.files import check_output

SINGLE_FILE_SUFFIXES = (".h5", ".json", ".jsonl", ".csv")


class Outputs:
    """Where the output of each input goes: `-o X` is a folder, or a file when X ends in a known suffix."""

    def __init__(self, target: Path, suffix: str) -> None:
        self._target = target
        self._suffix = suffix
        self._taken: dict[Path, Path] = {}

    def path(self, item: Input) -> Path:
        """The output of `item`; UsageError when another input of this run has the same one, or when it is no file."""
        single = self._target.suffix in SINGLE_FILE_SUFFIXES and not self._target.is_dir()
        output = self._target if single else self._target / item.output(self._suffix)
        first = self._taken.setdefault(output, item.path)
        if first != item.path:
            hint = "-o must name a folder when there are several inputs." if single else "Extract them one by one."
            raise UsageError(f"{item.path} and {first} would both be written to {output}.", hint)
        check_output(output)
        return output


def refuse_another(output: Path, stored: str | None, weights: str) -> None:
    """Raise UsageError when `output` is there and of a checkpoint with other weights than `weights`."""
    if stored is not None and stored != weights:
        raise UsageError(
            f"{output} belongs to another checkpoint (weights {stored[:12]}, not {weights[:12]}); it is kept.",
            "Name another folder or file with -o; --force replaces it.",
        )
