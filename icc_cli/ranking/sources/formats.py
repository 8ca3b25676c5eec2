"""Tables as they come: delimited text, JSON and JSON lines, compressed or not, Parquet, and what some tools write."""

import codecs
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from icc_cli.errors import FormatError, UsageError
from icc_cli.files import check_there, is_file, is_folder
from icc_cli.ranking.sources import lightning, lm_eval
from icc_cli.ranking.sources.delimited import DELIMITERS, read_rows
from icc_cli.ranking.sources.exports import NESTED
from icc_cli.resources import MEMORY_OF_TEXT, check_text, free_memory
from icc_cli.shapes import JsonObject, anything, cells, fields, fits, items, mapping, parsed, require, table, text

Cells = JsonObject

COMPRESSED = ".gz"
RAY = "result.json"
PARQUET = ".parquet"
_ROWS = items(cells)
_SPLIT = fields({"columns": items(text), "data": items(items(anything))}, {}, anything)
_TABLE = fields({"schema": anything, "data": items(table)}, {}, anything)
_COLUMNS = mapping(items(anything))
_BY_NAME = mapping(table)
DELIMITED = (".csv", ".tsv", ".txt")
JSON = (".json", ".jsonl")


def suffix_of(path: Path) -> str:
    """The suffix in lower case, without that of a compression."""
    name = path.name.lower().removesuffix(COMPRESSED)
    return Path(name).suffix


def is_table(path: Path) -> bool:
    """Whether a file holds a table rather than records: by its suffix, and JSON and what has another suffix by what it
    begins with."""
    suffix = suffix_of(path)
    if suffix in (*DELIMITED, PARQUET):
        return True
    if not is_file(path):
        return False
    text = _beginning(path)
    return json_rows_of(text, str(path)) is not None or (suffix not in JSON and has_header(text))


def has_header(text: str) -> bool:
    """Whether a text begins as a table does, with names between commas, tabs, semicolons or bars; JSON does not."""
    first = text.lstrip().partition("\n")[0]
    return first[:1] not in ("{", "[") and any(delimiter in first for delimiter in DELIMITERS)


def rows_of(path: Path) -> list[Cells]:
    """Every row of a table, as text or values by column; UsageError when there is no such file."""
    if is_folder(path):
        return _of_folder(path)
    if suffix_of(path) == PARQUET:
        return _parquet(path)
    with opened(path) as lines:
        check_text(path, FormatError)
        text = lines.read()
    return text_rows(text, str(path))


def _of_folder(folder: Path) -> list[Cells]:
    """The runs whose logs lie in a folder, each named by its path: Lightning's, Ray Tune's, or lm-eval's results."""
    rows = lightning.rows(folder)
    for path in sorted(folder.rglob(RAY)) if not rows else ():
        rows += [{"checkpoint": path.parent.name, **row} for row in rows_of(path)]
    rows = rows or [row for path in evaluations(folder) for row in rows_of(path)]
    if not rows:
        raise UsageError(
            f"the folder {folder} holds no logs that icc reads.",
            "Name a table, or a folder of Lightning's or Ray Tune's logs, or of lm-eval's results.",
        )
    return rows


def evaluations(folder: Path) -> list[Path]:
    """The files of lm-eval's results below a folder, sorted; none where the first JSON file is another."""
    files = sorted(folder.rglob("*.json"))
    return files if files and _is_evaluation(files[0]) else []


def _is_evaluation(path: Path) -> bool:
    try:
        content = parsed(_beginning(path), path)
    except FormatError:
        return False
    return isinstance(content, Mapping) and lm_eval.is_results(content)


def text_rows(text: str, where: str) -> list[Cells]:
    """The rows of a table's text; FormatError when it is neither JSON nor delimited."""
    if text.lstrip()[:1] not in ("[", "{"):
        return list(read_rows(text.splitlines(keepends=True), where))
    rows = json_rows_of(text, where)
    if rows is None:
        raise FormatError(f"{where} is not a list of objects.", "Expected one object for each run.")
    return rows


def json_rows_of(text: str, where: str) -> list[Cells] | None:
    """The rows of JSON: a list of objects, one object a line, columns or rows by name as pandas writes them, or the
    results of lm-eval; None for records, and for what is none of these. FormatError, naming `where`, for values that no
    table holds."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        found = parsed(text, where)
    except FormatError:
        try:
            found = [parsed(line, where) for line in text.splitlines() if line.strip()]
        except FormatError:
            return None
    if isinstance(found, Mapping) and lm_eval.is_results(found):
        return [lm_eval.row(found, where)]
    rows = found if isinstance(found, list) else _of_object(found)
    if not fits(items(table), rows) or (rows and "record" in rows[0]):
        return None
    require(_ROWS, rows, where, "Expected one object for each run.")
    return [dict(row) for row in rows]


def _of_object(found: Mapping[str, Any]) -> Sequence[Any]:
    """The rows of one object: pandas' orients `split`, `table`, `index`, `columns` and `list`, or a row by itself."""
    if fits(_SPLIT, found):
        return [dict(zip(found["columns"], row, strict=False)) for row in found["data"]]
    if fits(_TABLE, found):
        rows: list[Any] = found["data"]
        return rows
    cells = list(found.values())
    if cells and fits(_COLUMNS, found) and len({len(cell) for cell in cells}) == 1:
        return [dict(zip(found, row, strict=True)) for row in zip(*cells, strict=True)]
    if len(cells) > 1 and fits(_BY_NAME, found) and all(cells) and not set(found) & set(NESTED):
        if all(key.isdecimal() for cell in cells for key in cell):
            keys = dict.fromkeys(key for cell in cells for key in cell)
            return [{name: cell.get(key) for name, cell in found.items()} for key in keys]
        return [{**({} if key.isdecimal() else {"checkpoint": key}), **row} for key, row in found.items()]
    return [found]


def _bytes(path: Path) -> Any:
    """The stream of its bytes, decompressed; it can `peek`."""
    if not path.name.lower().endswith(COMPRESSED):
        return path.open("rb")
    import gzip

    return io.BufferedReader(_Bounded(gzip.open(path), free_memory() // MEMORY_OF_TEXT))


class _Bounded(io.RawIOBase):
    """A stream that ends in MemoryError once it has given `most` bytes: a small file may unpack to any number."""

    def __init__(self, packed: Any, most: int) -> None:
        self._packed, self._left = packed, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._packed.readinto(buffer)
        self._left -= count
        if self._left < 0:
            raise MemoryError
        return count

    def close(self) -> None:
        self._packed.close()
        super().close()


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """The lines of a text file, decompressed; errors of reading are FormatError, while it is read too."""
    check_there(path, pipes=True)
    try:
        with _bytes(path) as content:
            wide = content.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
            with io.TextIOWrapper(content, "utf-16" if wide else "utf-8-sig", newline="") as lines:
                yield lines
    except UnicodeDecodeError as error:
        raise FormatError(f"cannot read {path} as a table: {error}.", "Save it as text in UTF-8.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"cannot read {path} as a table: {error}.") from error
    except MemoryError as error:
        raise FormatError(f"{path} holds more text than memory does.", "Is it the right file?") from error


def _beginning(path: Path) -> str:
    """The text of a JSON file, or the first line where that is an object by itself."""
    try:
        with opened(path) as lines:
            check_text(path, FormatError)
            first = lines.readline()
            try:
                parsed(first, path)
            except FormatError:
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
