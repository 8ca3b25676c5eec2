"""Sets of models that belong on one panel: those of one data set and one architecture."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from icc_cli.ranking.sources.joined import join
from icc_cli.ranking.table import ModelTable
from icc_cli.records import Record
from icc_cli.shapes import JsonObject

Located = tuple[str, Record]


@dataclass(frozen=True)
class RecordSet:
    """The records of models of one data set and architecture, each with where it lies."""

    name: str
    found: tuple[Located, ...]

    @property
    def hashes(self) -> tuple[str, ...]:
        """The weights' hashes of the checkpoints, each once, in order of appearance: the rows of their table."""
        return tuple(dict.fromkeys(record.weights_sha256 for _, record in self.found))

    @property
    def records(self) -> list[Record]:
        return [record for _, record in self.found]


@dataclass(frozen=True)
class ModelSet(RecordSet):
    """The same, joined to a table with a row for each checkpoint."""

    table: ModelTable


def record_sets(found: Sequence[Located]) -> list[RecordSet]:
    """The sets in order of appearance, from (where, record) pairs."""
    groups: dict[tuple[str, str], list[Located]] = {}
    for where, record in found:
        groups.setdefault(_key(record), []).append((where, record))
    names = [_name(items[0][1]) for items in groups.values()]
    return [
        RecordSet(name if names.count(name) == 1 else f"{name} [{digest[:6]}]", tuple(items))
        for (digest, _), name, items in zip(groups, names, groups.values(), strict=True)
    ]


def model_sets(found: Sequence[Located], sweep: bool = False, pool: bool = False) -> tuple[list[ModelSet], list[str]]:
    """The sets with their tables, and what a person should be told; FormatError as `join` raises it.

    `pool` makes one set of all, whatever their data and architectures.
    """
    sets, told = [], []
    for one in [RecordSet("", tuple(found))] if pool else record_sets(found):
        table, lines = join(one.found, sweep)
        told += lines
        sets.append(ModelSet(one.name, one.found, table))
    if len(sets) > 1:
        told.append(
            f"the records are of {len(sets)} sets, each of one data set and architecture: "
            f"{', '.join(one.name for one in sets)}; --pool makes one of them."
        )
    return sets, told


def network(record: Record) -> str:
    """The architecture's short name: `wrn`, `resnet18` of `torchvision:resnet18`; empty when it is not said."""
    model = record.model
    spec = model.get("spec", "") if isinstance(model, dict) else model or ""
    return str(spec).rsplit(":", 1)[-1]


def _data(record: Record) -> JsonObject:
    data = record.data
    return data if isinstance(data, dict) else {"spec": data}


def _key(record: Record) -> tuple[str, str]:
    data = _data(record)
    return str(data.get("digest") or json.dumps(data, sort_keys=True, default=str)), network(record)


def _name(record: Record) -> str:
    data = _data(record)
    kind, _, path = str(data.get("spec") or "").partition(":")
    parts = [part for part in (network(record), Path(path).stem if path else kind) if part]
    return " on ".join(parts)
