"""Records from wherever they lie."""

import os
from collections.abc import Iterable
from pathlib import Path

from icc_cli import records
from icc_cli.errors import UsageError
from icc_cli.records import Record

SUFFIXES = (".jsonl", ".json")


def read_records(source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Record]:
    """Every record of a file, of all files in a folder (.json and .jsonl, searched in order), or of several of these.

    FormatError for a file that is damaged or holds none; UsageError for one that is not there.
    """
    sources = [source] if isinstance(source, str | os.PathLike) else list(source)
    found: list[Record] = []
    for each in map(Path, sources):
        paths = sorted(path for path in each.rglob("*") if path.suffix in SUFFIXES) if each.is_dir() else [each]
        visible = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(each).parts)]
        if not visible and each.is_dir():
            raise UsageError(f"the folder {each} holds no {' or '.join(SUFFIXES)} file.")
        found += [record for path in visible for record in records.read(path)]
    return found
