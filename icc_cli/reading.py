"""Records from wherever they lie."""

import os
from collections.abc import Iterable

from icc_cli.ranking.sources.inputs import located
from icc_cli.records import Record


def read_records(source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Record]:
    """Every record of a file, of all files in a folder (.json and .jsonl, searched in order), or of several of these.

    FormatError for a file that is damaged or holds none; UsageError for one that is not there.
    """
    sources = [source] if isinstance(source, str | os.PathLike) else source
    found, failures = located([os.fspath(one) for one in sources])
    if failures:
        raise failures[0]
    return [record for _, record in found]
