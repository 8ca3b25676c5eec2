"""Records: one JSON object a line, what `measure` and `sharpness` emit for one checkpoint."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from icc_cli.errors import FormatError, UsageError

VERSION = 1
KINDS = ("icc-measure", "icc-sharpness")
HEAD = ("checkpoint", "weights_sha256", "model", "data", "hparams", "metrics", "epoch")

Record = dict[str, Any]


def dumps(record: Record) -> str:
    """One line of JSON. NaN and infinity, which JSON does not have, become null."""
    return json.dumps(_finite(record), allow_nan=False)


def parse(line: str, where: str) -> Record:
    """A record from one line; FormatError, naming `where`, when it is not one that this version knows."""
    hint = "Records are lines that `icc measure` or `icc sharpness` wrote."
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where} is not JSON: {error}.", hint) from error
    if not isinstance(record, dict) or record.get("record") not in KINDS:
        raise FormatError(f'{where} is no record: expected an object with "record" one of {", ".join(KINDS)}.', hint)
    if record.get("version") != VERSION:
        raise FormatError(
            f"{where} has record version {record.get('version')!r}, and this icc reads version {VERSION}.",
            "Update icc, or write the record again with this one.",
        )
    for key, kind in (("checkpoint", str), ("weights_sha256", str), ("measures", dict)):
        if not isinstance(record.get(key), kind):
            raise FormatError(f"{where} lacks {key!r}, or it is not a {kind.__name__}.", hint)
    for key in ("hparams", "metrics"):
        if not isinstance(record.setdefault(key, {}), dict):
            raise FormatError(f"{where} has a {key!r} that is not an object.", hint)
    return record


def read(path: Path) -> Iterator[Record]:
    """The records of one file, in order; FormatError when it is damaged or holds none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"cannot read {path} as records: {error}.") from error
    found = False
    for number, line in enumerate(lines, 1):
        if line.strip():
            found = True
            yield parse(line, f"{path} line {number}")
    if not found:
        raise FormatError(f"{path} is empty: expected one record a line.", "Run `icc measure` again.")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
