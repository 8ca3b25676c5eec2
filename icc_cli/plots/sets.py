"""Sets of models that belong on one panel: those of one data set and one architecture."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icc_cli.ranking.sources.joined import join
from icc_cli.ranking.table import ModelTable
from icc_cli.records import Record

Located = tuple[str, Record]


@dataclass(frozen=True)
class ModelSet:
    """Models of one data set and architecture: their records, and the table that the records join to."""

    name: str
    records: tuple[Record, ...]
    table: ModelTable


def model_sets(found: Sequence[Located], sweep: bool = False) -> tuple[list[ModelSet], list[str]]:
    """The sets in order of appearance, from (where, record) pairs, and what a person should be told."""
    groups: dict[tuple[str, str], list[Located]] = {}
    for where, record in found:
        groups.setdefault(_key(record), []).append((where, record))
    names = [_name(items[0][1]) for items in groups.values()]
    sets, told = [], []
    for (digest, _), name, items in zip(groups, names, groups.values(), strict=True):
        table, lines = join(items, sweep)
        told += lines
        unique = name if names.count(name) == 1 else f"{name} [{digest[:6]}]"
        sets.append(ModelSet(unique, tuple(record for _, record in items), table))
    return sets, told


def network(record: Record) -> str:
    """The architecture's short name: `wrn`, `resnet18` of `torchvision:resnet18`; empty when it is not said."""
    model = record.get("model")
    spec = model.get("spec", "") if isinstance(model, dict) else model or ""
    return str(spec).rsplit(":", 1)[-1]


def _data(record: Record) -> dict[str, Any]:
    data = record.get("data")
    return data if isinstance(data, dict) else {"spec": data}


def _key(record: Record) -> tuple[str, str]:
    data = _data(record)
    return str(data.get("digest") or json.dumps(data, sort_keys=True, default=str)), network(record)


def _name(record: Record) -> str:
    data = _data(record)
    kind, _, path = str(data.get("spec") or "").partition(":")
    parts = [part for part in (network(record), Path(path).stem if path else kind) if part]
    return " on ".join(parts)
