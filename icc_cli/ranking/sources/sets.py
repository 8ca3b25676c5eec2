"""Sets of models that belong on one panel: those of one data set and one architecture, or of architectures that were
trained alike."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from icc_cli.ranking.sources.joined import join
from icc_cli.ranking.table import MODEL_NAMES, ModelTable, is_seed
from icc_cli.ranking.values import canonical
from icc_cli.records import Record
from icc_cli.shapes import JsonObject

Located = tuple[str, Record]


@dataclass(frozen=True)
class RecordSet:
    """The records of models of one data set and architecture, or of several that were trained alike, each with where
    it lies."""

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
    """The sets in order of appearance, from (where, record) pairs.

    Records of one data set are of one set when they are of one architecture, or when the architecture and the arguments
    of the model are all that their hyperparameters, the seed apart, tell apart: then it is what varies between them.
    """
    data: dict[str, list[Located]] = {}
    for item in found:
        data.setdefault(_data_key(item[1]), []).append(item)
    groups: dict[tuple[str, str], list[Located]] = {}
    for digest, items in data.items():
        alike = len({_training(record) for _, record in items}) == 1
        for item in items:
            groups.setdefault((digest, "" if alike else network(item[1])), []).append(item)
    names = [_name(items) for items in groups.values()]
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
        sets.append(ModelSet(one.name, one.found, replace(table, networks=_networks(one))))
    if len(sets) > 1:
        told.append(
            f"the records are of {len(sets)} sets, each of one data set, and of one architecture or of some that were "
            "trained alike: "
            f"{', '.join(one.name for one in sets)}; --pool makes one of them."
        )
    return sets, told


def network(record: Record) -> str:
    """The architecture's short name: `wrn`, `resnet18` of `torchvision:resnet18`; empty when it is not said."""
    return _spec(record).rsplit(":", 1)[-1]


def _data(record: Record) -> JsonObject:
    data = record.data
    return data if isinstance(data, dict) else {"spec": data}


def _data_key(record: Record) -> str:
    data = _data(record)
    return str(data.get("digest") or json.dumps(data, sort_keys=True, default=str))


def _training(record: Record) -> str:
    """What a network was trained with, but for its architecture, the arguments of its model, and the seed."""
    own = record.model.get("args") if isinstance(record.model, dict) else None
    apart = own if isinstance(own, dict) else {}
    kept = {name: canonical(value) for name, value in record.hparams.items()}
    return json.dumps(
        {
            name: value
            for name, value in kept.items()
            if name not in apart and not is_seed(name) and name.lower() not in MODEL_NAMES
        },
        sort_keys=True,
        default=str,
    )


def _spec(record: Record) -> str:
    model = record.model
    return str(model.get("spec", "") if isinstance(model, dict) else model or "")


def _networks(models: RecordSet) -> tuple[str, ...]:
    """The architecture of each checkpoint: its short name, or the whole one where two share that; none where one is
    not said."""
    specs = {record.weights_sha256: _spec(record) for record in reversed(models.records)}
    if not all(specs.values()):
        return ()
    names = {spec: spec.rsplit(":", 1)[-1] for spec in specs.values()}
    if len(set(names.values())) < len(names):
        names = {spec: spec for spec in names}
    return tuple(names[specs[digest]] for digest in models.hashes)


def _name(found: Sequence[Located]) -> str:
    record = found[0][1]
    data = _data(record)
    kind, _, path = str(data.get("spec") or "").partition(":")
    networks = list(dict.fromkeys(network(one) for _, one in found))
    architecture = networks[0] if len(networks) == 1 else f"{len(networks)} architectures"
    return " on ".join(part for part in (architecture, Path(path).stem if path else kind) if part)
