"""A record for each input: kept where its key matches, or else made; printed, or written and its path printed."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import typer

from icc_cli import records
from icc_cli.cli._inputs import Input
from icc_cli.cli._options import Format
from icc_cli.cli._outputs import Outputs, refuse_another
from icc_cli.cli._report import Reporter
from icc_cli.cli._tables import render
from icc_cli.errors import FormatError, UsageError
from icc_cli.files import write_atomically
from icc_cli.records import Record, Settings
from icc_cli.shapes import JsonObject


@dataclass(frozen=True)
class Recorded:
    """The record of one input, the file it is in if it has one, and whether it was made by this run."""

    record: Record
    path: Path | None
    new: bool


class Recorder:
    """Where the records of one run go; used by the processes that make them."""

    def __init__(self, output: Path | None, suffix: str, force: bool) -> None:
        """`output` is the option -o; UsageError when it names a file that is not one of records."""
        if output is not None and output.suffix in (".h5", ".csv") and not output.is_dir():
            raise UsageError(f"records are JSON, and cannot go to {output}.", "Name a folder or a .json file with -o.")
        self.outputs = Outputs(output, suffix) if output is not None else None
        self._force = force

    def record(
        self,
        item: Input,
        key: Callable[[], str | None],
        make: Callable[[], Record],
        measures: Collection[str],
        settings: Settings,
    ) -> Recorded:
        """The record that is there already under the `key`, or what `make` gives, which is written.

        The key stands for all that the record depends on and is its `content_key`; None where that cannot be told. It
        is asked for where a record is there.
        UsageError, before anything is computed, when the one that is there was made with other `settings` than these,
        or holds measures that are none of `measures`: what it holds would be lost.
        """
        path = self.outputs.path(item) if self.outputs else None
        if path is None:
            return Recorded(make(), None, True)
        stored = None if self._force else _stored(path)
        if stored is not None:
            if stored.content_key is not None and stored.content_key == key():
                return Recorded(stored, path, False)
            _refuse_a_loss(path, stored, measures, settings)
        record = make()
        there = None if self._force else _stored(path)  # by now, that of another process too
        if there is not None:
            refuse_another(path, there.weights_sha256, record.weights_sha256)
        write_atomically(path, records.dumps(record) + "\n")
        return Recorded(record, path, True)


class Printer:
    """What a run prints of its records: their paths, or lines of JSON, or one table at the end.

    A context, at whose end the table is printed, and the new records' notes on stderr: equal ones once.
    """

    def __init__(self, form: Format, row: Callable[[Record], JsonObject], report: Reporter) -> None:
        """`row` gives the cells of a record in the table."""
        self._form = form
        self._row = row
        self._report = report
        self._rows: list[JsonObject] = []
        self._notes: dict[str, list[str]] = {}
        self._count = 0

    def __call__(self, recorded: Recorded) -> None:
        self._count += 1
        if recorded.new:
            for note in recorded.record.notes:
                self._notes.setdefault(note, []).append(recorded.record.checkpoint)
        else:
            self._report.note(f"{recorded.path} is up to date; skipped (--force to redo).")
        if recorded.path:
            typer.echo(recorded.path)
        elif self._form is Format.json:
            typer.echo(records.dumps(recorded.record))
        else:
            self._rows.append(self._row(recorded.record))

    def __enter__(self) -> "Printer":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._rows:
            typer.echo(render(self._rows, self._form))
        for note, whose in self._notes.items():
            self._report.note(self._attributed(note, whose))

    def _attributed(self, note: str, whose: list[str]) -> str:
        if self._count == 1:
            return note
        return f"{whose[0]}: {note}" if len(whose) == 1 else f"{note} ({len(whose)} of {self._count} records)"


def _stored(path: Path) -> Record | None:
    """The record that is at `path`, if there is one that can be read."""
    try:
        return next(iter(records.read(path))) if path.exists() else None
    except FormatError:
        return None


def _refuse_a_loss(path: Path, stored: Record, measures: Collection[str], settings: Settings) -> None:
    other = [f"{key} = {stored.settings[key]}" for key, value in settings.items() if _differs(stored, key, value)]
    lost = [name for name, value in stored.measures.items() if value is not None and name not in measures]
    if other or lost:
        what = f"was made with {', '.join(other)}" if other else f"holds {', '.join(lost)} too"
        raise UsageError(
            f"{path} {what}; it is kept.",
            "Name another folder with -o (`icc rank` takes several); --force replaces it.",
        )


def _differs(stored: Record, key: str, value: object) -> bool:
    return key in stored.settings and stored.settings[key] != value
