"""Tables as they come: delimited text, JSON and JSON lines, compressed or not, Parquet, and what some tools write."""

import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from icc_cli.errors import FormatError, UsageError
from icc_cli.ranking.sources import lightning, lm_eval
from icc_cli.ranking.sources.delimited import read_rows
from icc_cli.shapes import JsonObject

Cells = JsonObject

COMPRESSED = ".gz"
PARQUET = ".parquet"
DELIMITED = (".csv", ".tsv", ".txt")
JSON = (".json", ".jsonl")


def suffix_of(path: Path) -> str:
    """The suffix in lower case, without that of a compression."""
    name = path.name.lower().removesuffix(COMPRESSED)
    return Path(name).suffix


def is_table(path: Path) -> bool:
    """Whether a file holds a table rather than records: by its suffix, and JSON by what it begins with."""
    suffix = suffix_of(path)
    if suffix in (*DELIMITED, PARQUET):
        return True
    return suffix in JSON and path.is_file() and json_rows_of(_beginning(path)) is not None


def rows_of(path: Path) -> list[Cells]:
    """Every row of a table, as text or values by column; UsageError when there is no such file."""
    if path.is_dir():
        return lightning.rows(path)
    if suffix_of(path) == PARQUET:
        return _parquet(path)
    with opened(path) as lines:
        text = lines.read()
    return text_rows(text, str(path))


def text_rows(text: str, where: str) -> list[Cells]:
    """The rows of a table's text; FormatError when it is neither JSON nor delimited."""
    if text.lstrip()[:1] not in ("[", "{"):
        return list(read_rows(text.splitlines(keepends=True), where))
    rows = json_rows_of(text)
    if rows is None:
        raise FormatError(f"{where} is no list of objects.", "Expected one object for each run.")
    return rows


def json_rows_of(text: str) -> list[Cells] | None:
    """The rows of JSON: a list of objects, one object a line, or the results of lm-eval; None for records, and for
    what is none of these. FormatError for lines that begin as a table does and are no JSON."""
    first = text.lstrip()[:1]
    if first not in ("[", "{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            return None
    if isinstance(found, Mapping) and lm_eval.is_results(found):
        return [lm_eval.row(found)]
    rows = found if isinstance(found, Sequence) else [found]
    if not rows or not all(isinstance(row, Mapping) for row in rows) or "record" in rows[0]:
        return None
    return [dict(row) for row in rows]


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """The lines of a text file, decompressed; errors of reading are FormatError, while it is read too."""
    try:
        if path.name.lower().endswith(COMPRESSED):
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as lines:
                yield io.TextIOWrapper(lines.buffer, "utf-8-sig", newline="")
        else:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                yield lines
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}.") from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise FormatError(f"cannot read {path} as a table: {error}.") from error


def _beginning(path: Path) -> str:
    """The text of a JSON file, or the first line where that is an object by itself."""
    try:
        with opened(path) as lines:
            first = lines.readline()
            try:
                json.loads(first)
            except ValueError:
                return first + lines.read()
            return first
    except FormatError:
        return ""


def _parquet(path: Path) -> list[Cells]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        hint = "Run `pip install 'icc-cli[tables]'`."
        raise UsageError("Parquet needs pyarrow, which is not installed.", hint) from error
    try:
        rows: list[Cells] = parquet.read_table(path).to_pylist()
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}.") from error
    except (OSError, ArrowException) as error:
        raise FormatError(f"cannot read {path} as Parquet: {error}.") from error
    return rows
