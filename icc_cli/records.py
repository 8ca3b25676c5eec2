"""Records: one JSON object on one line, what `measure` and `sharpness` emit for one checkpoint (version 1)."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from icc_cli import catalog
from icc_cli.catalog import About, Sign
from icc_cli.errors import FormatError
from icc_cli.files import check_there
from icc_cli.measures.result import SiteValues
from icc_cli.resources import check_text
from icc_cli.shapes import (
    counted,
    either,
    fields,
    items,
    mapping,
    number,
    numbers,
    one_of,
    optional,
    parsed,
    plain,
    require,
    scalar,
    shown,
    text,
    whole,
)

VERSION = 1
MEASURE, SHARPNESS = "icc-measure", "icc-sharpness"
KINDS = (MEASURE, SHARPNESS)
HEAD = ("checkpoint", "weights_sha256", "model", "data", "hparams", "metrics", "epoch")
SITE_FACTS = ("name", "neurons", "dead")
HINT = "Records are lines that `icc measure` or `icc sharpness` wrote."

Scalar = None | bool | int | float | str
Settings = Mapping[str, Scalar]


@dataclass(frozen=True)
class Described:
    """How a measure that icc does not declare is to be ranked and drawn, as the record says, and its settings."""

    about: About
    settings: Settings


@dataclass(frozen=True)
class Record:
    """One checkpoint's record.

    `settings` are the plain fields of what changed its numbers (k, convention, target, ...), `extra` any fields beside
    these; both stand at the top of the JSON object.
    """

    kind: str
    checkpoint: str
    weights_sha256: str
    measures: Mapping[str, float | None]
    model: object = None
    data: object = None
    hparams: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, Scalar] = field(default_factory=dict)
    epoch: int | None = None
    settings: Settings = field(default_factory=dict)
    described: Mapping[str, Described] = field(default_factory=dict)
    groups: Mapping[str, int] | None = None
    sites: tuple[SiteValues, ...] | None = None
    all_k: Mapping[str, tuple[float, ...] | None] | None = None
    notes: tuple[str, ...] = ()
    content_key: str | None = None
    generated_by: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    def about(self, name: str) -> About | None:
        """What is declared of the measure `name`: by icc, or else by the record."""
        if catalog.known(name):
            return catalog.find(name)
        described = self.described.get(name)
        return described.about if described else None

    def settings_of(self, name: str) -> Settings:
        """The settings that the value of the measure `name` depends on."""
        if name in self.described:
            return self.described[name].settings
        about = catalog.find(name)
        return {key: self.settings[key] for key in (about.settings if about else ()) if key in self.settings}


_DESCRIBED = fields(
    {"with_accuracy": one_of(1, 0, -1)}, {"symbol": text, "settings": mapping(scalar), "version": whole}
)
_SHAPE = fields(
    {"checkpoint": text, "weights_sha256": text, "measures": mapping(optional(number))},
    {
        "k": optional(either(counted, one_of("auto"), expected="a whole number of at least 1, or auto")),
        "layer_k": optional(counted),
        "site_k": optional(counted),
        "hparams": optional(mapping(plain)),
        "metrics": optional(mapping(scalar)),
        "epoch": optional(whole),
        "about": optional(mapping(_DESCRIBED)),
        "groups": optional(mapping(whole)),
        "sites": optional(items(fields({"name": text, "neurons": whole, "dead": whole}, {}, optional(number)))),
        "all_k": optional(mapping(optional(numbers))),
        "notes": optional(items(text)),
        "content_key": optional(text),
        "generated-by": optional(text),
    },
)


def dumps(record: Record) -> str:
    """One line of JSON. NaN and infinity, which JSON does not have, become null."""
    return json.dumps(_finite(as_json(record)), allow_nan=False)


def as_json(record: Record) -> dict[str, Any]:
    """The record as the JSON object that it is written as."""
    line: dict[str, Any] = {"record": record.kind, "version": VERSION}
    line |= {key: getattr(record, key) for key in HEAD}
    line |= record.settings
    if record.groups is not None:
        line["groups"] = record.groups
    line["measures"] = record.measures
    if record.described:
        line["about"] = {name: _described(one) for name, one in record.described.items()}
    if record.sites is not None:
        line["sites"] = [
            {"name": site.name, "neurons": site.neurons, "dead": site.dead, **site.measures} for site in record.sites
        ]
    if record.all_k is not None:
        line["all_k"] = record.all_k
    line |= record.extra
    line["notes"] = list(record.notes)
    if record.generated_by is not None:
        line["generated-by"] = record.generated_by
    if record.content_key is not None:
        line["content_key"] = record.content_key
    return line


def parse(line: str, where: str) -> Record:
    """A record from one line; FormatError, naming `where`, when it is not one that this version knows."""
    return from_json(parsed(line, where, HINT), where)


def from_json(content: object, where: str) -> Record:
    """A record from a JSON object; FormatError as `parse`."""
    if not isinstance(content, Mapping) or content.get("record") not in KINDS:
        raise FormatError(f'{where} is not a record: expected an object with "record" one of {", ".join(KINDS)}.', HINT)
    if content.get("version") != VERSION:
        raise FormatError(
            f"{where} has record version {shown(content.get('version'))}, and this icc reads version {VERSION}.",
            "Update icc, or write the record again with this one.",
        )
    require(_SHAPE, content, where, HINT)
    fixed = {*HEAD, "record", "version", "measures", "about", "groups", "sites", "all_k", "notes", "content_key"}
    rest = {key: value for key, value in content.items() if key not in fixed and key != "generated-by"}
    settings = {key: value for key, value in rest.items() if isinstance(value, Scalar)}
    sites, curves = content.get("sites"), content.get("all_k")
    return Record(
        content["record"],
        content["checkpoint"],
        content["weights_sha256"],
        content["measures"],
        model=content.get("model"),
        data=content.get("data"),
        epoch=content.get("epoch"),
        hparams=content.get("hparams") or {},
        metrics=content.get("metrics") or {},
        settings=settings,
        described={name: _undescribed(name, one) for name, one in (content.get("about") or {}).items()},
        groups=content.get("groups"),
        sites=None if sites is None else tuple(_site(site) for site in sites),
        all_k=None if curves is None else {name: None if c is None else tuple(c) for name, c in curves.items()},
        notes=tuple(content.get("notes") or ()),
        content_key=content.get("content_key"),
        generated_by=content.get("generated-by"),
        extra={key: value for key, value in rest.items() if key not in settings},
    )


def read(path: Path) -> Iterator[Record]:
    """The records of one file, in order; FormatError when it is damaged or holds none."""
    check_there(path, pipes=True)
    try:
        check_text(path, FormatError)
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"cannot read {path} as records: {error}.") from error
    found = False
    for place, line in enumerate(lines, 1):
        if line.strip():
            found = True
            yield parse(line, f"{path} line {place}")
    if not found:
        raise FormatError(f"{path} is empty: expected one record per line.", "Run `icc measure` again.")


def _described(one: Described) -> dict[str, Any]:
    about = {"with_accuracy": one.about.with_accuracy, "symbol": one.about.symbol, "settings": dict(one.settings)}
    return about if one.about.version == 1 else {**about, "version": one.about.version}


def _undescribed(name: str, content: Mapping[str, Any]) -> Described:
    settings = dict(content.get("settings") or {})
    sign = cast(Sign, content["with_accuracy"])
    symbol, version = content.get("symbol", ""), content.get("version", 1)
    about = About(name, with_accuracy=sign, symbol=symbol, settings=tuple(settings), version=version)
    return Described(about, settings)


def _site(content: Mapping[str, Any]) -> SiteValues:
    values = {key: value for key, value in content.items() if key not in SITE_FACTS}
    return SiteValues(content["name"], content["neurons"], content["dead"], values)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return value
