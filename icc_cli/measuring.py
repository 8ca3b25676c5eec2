"""Measuring one network: from a cache, from activations in memory, or from plain arrays."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from icc_cli import __version__, records
from icc_cli.cache import Cache, content_key, open_cache, stored_content_key
from icc_cli.catalog import GROUPS
from icc_cli.errors import FormatError, UsageError
from icc_cli.forks import Ended
from icc_cli.measures.chosen import Chosen, choose
from icc_cli.measures.declare import Measure
from icc_cli.measures.network import measure_sites
from icc_cli.measures.options import AUTO, Options
from icc_cli.measures.result import Result
from icc_cli.measures.site import Site
from icc_cli.measures.whole import NO_HEAD, Beside, Given, Head
from icc_cli.records import Described, Record
from icc_cli.shapes import JsonObject

PAPER = "paper"


class Activations(Protocol):
    """What a network's activations are, wherever they are kept; rows are ordered by class, then subclass."""

    @property
    def sites(self) -> Sequence[Site]: ...

    @property
    def labels(self) -> NDArray[np.integer]: ...

    @property
    def sublabels(self) -> NDArray[np.integer] | None: ...


class Known(Activations, Protocol):
    """Activations that say which network they are of: an open cache, or what was taken from a checkpoint."""

    @property
    def content_key(self) -> str: ...

    @property
    def metadata(self) -> JsonObject: ...


class More(TypedDict, total=False):
    """The rarer options of `measure`; see Options."""

    site_k: int
    convention: str
    per_site: bool
    all_k: bool


@dataclass(frozen=True)
class _Reordered:
    """A site of `values` (N, n) in any order, whose rows are read in `order` (N,)."""

    name: str
    values: NDArray[np.floating]
    order: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.order), self.values.shape[1]

    def rows(self, start: int, stop: int) -> NDArray[np.floating]:
        return self.values[self.order[start:stop]]


@dataclass(frozen=True)
class _Ordered:
    """Arrays of a network, brought into the order of a cache."""

    sites: tuple[Site, ...]
    labels: NDArray[np.integer]
    sublabels: NDArray[np.integer] | None


def measure(
    activations: "Activations | Mapping[str, ArrayLike] | str | Path",
    labels: ArrayLike | None = None,
    sublabels: ArrayLike | None = None,
    *,
    measures: str | Measure | Sequence[str | Measure] = PAPER,
    k: int | Literal["auto"] = 30,
    layer_k: int = 1,
    **more: Unpack[More],
) -> Result:
    """Measure one network.

    `activations` is what `icc_cli.activations` gives, the path of a cache, or a mapping from the sites' names, in the
    order of the forward pass, to pre-activations (N, n); these need `labels` (N,), and `sublabels` (N,) for the
    measures that compare subclasses, with rows in any order. `measures` are groups, names, `file.py:NAME` or
    measures themselves; `k` is the number of neurons averaged (`auto`: 1/64 of all), `layer_k` of sites.

    Values equal those of `icc measure` to the last bit. Raises FormatError for NaN, infinity or arrays that do not fit
    together, UsageError for options that make no sense.

    >>> import numpy as np
    >>> a = np.array([[0.0], [1.0], [10.0], [11.0]])
    >>> round(measure({"relu": a}, [0, 0, 1, 1], measures="c3")["c3"], 6)
    0.099504
    """
    options = Options(k=k, layer_k=layer_k, **more)
    chosen = choose([measures] if isinstance(measures, str | Measure) else measures)
    wanted = [one.measure for one in chosen]
    with _opened(activations, labels, sublabels) as found:
        return measure_sites(given_of(found), wanted, options)


@contextlib.contextmanager
def _opened(activations: Any, labels: ArrayLike | None, sublabels: ArrayLike | None) -> Iterator[Activations]:
    if isinstance(activations, Mapping):
        if labels is None:
            raise UsageError("arrays need labels.", "Give labels (N,), one for each row.")
        yield _ordered(activations, labels, sublabels)
        return
    if labels is not None or sublabels is not None:
        raise UsageError("labels go with arrays alone; activations and caches have their own.", "Leave them out.")
    if isinstance(activations, str | Path):
        with open_cache(Path(activations)) as cache:
            yield cache
    else:
        yield activations


def _ordered(arrays: Mapping[str, ArrayLike], labels: ArrayLike, sublabels: ArrayLike | None) -> _Ordered:
    classes = _codes(labels, "labels")
    finer = None if sublabels is None else _codes(sublabels, "sublabels")
    if finer is not None and len(finer) != len(classes):
        raise UsageError(f"there are {len(classes)} labels and {len(finer)} sublabels.", "Give one of each per row.")
    order = np.lexsort((classes,) if finer is None else (finer, classes))
    sites = []
    for name, given in arrays.items():
        values = _array(given)
        if values.ndim != 2 or len(values) != len(classes) or values.dtype.kind not in "fiu":
            raise UsageError(
                f"the site {name!r} has shape {values.shape} and type {values.dtype}, expected "
                f"({len(classes)}, n) numbers.",
                "Reduce feature maps by their maximum first: array.max(axis=(2, 3)).",
            )
        values = values if values.dtype.kind == "f" else values.astype(np.float64)
        sites.append(_Reordered(str(name), values, order))
    return _Ordered(tuple(sites), classes[order], None if finer is None else finer[order])


def _array(given: Any) -> NDArray[Any]:
    """An array of whatever is one: numpy's, a list, or a tensor of any device."""
    return np.asarray(given.detach().cpu().numpy() if hasattr(given, "detach") else given)


def _codes(given: ArrayLike, what: str) -> NDArray[np.integer]:
    """(N,) whole numbers: labels as they are, or numbered in order where they are text."""
    values = _array(given)
    if values.ndim != 1:
        raise UsageError(f"{what} have shape {values.shape}, expected (N,).")
    if values.dtype.kind in "USO":
        return np.unique(values.astype(str), return_inverse=True)[1]
    if values.dtype.kind not in "iub":
        raise UsageError(f"{what} are {values.dtype}, expected whole numbers or text.")
    return values.astype(np.int64)


def given_of(found: Activations) -> Given:
    """All that the measures may ask of a network; only caches and activations know more than its sites."""
    metadata: JsonObject = getattr(found, "metadata", {})
    head = getattr(found, "head", None)
    reasons = dict(metadata.get("reasons") or {})
    if getattr(found, "version", 2) == 1:
        reasons |= dict.fromkeys(("head", "logits"), "the cache is of version 1: extract it again")
    beside = Beside(
        head and Head(head.inputs, np.asarray(head.weight, np.float64)),
        getattr(found, "logits", None),
        getattr(found, "predictions", None),
        {name: value for name, value in (metadata.get("metrics") or {}).items() if value is not None},
        str(metadata.get("weights_sha256") or ""),
        reasons,
    )
    return Given(found.sites, found.labels, found.sublabels, beside)


def lacking(cache: Cache) -> dict[str, str]:
    """For each group of measures of icc's, what cannot be measured of a cache and why; empty when all can."""
    beside = given_of(cache).beside
    no_head = beside.reasons.get("head", NO_HEAD) if beside.head is None else ""
    no_subclasses = "there are no subclasses" if cache.sublabels is None else ""
    counted = [name for name in GROUPS["controls"] if name in ("parameters", "weight_norm", "path_norm")]
    uncounted = [name for name in counted if beside.metrics.get(name) is None]
    return {
        "paper": f"c1, c2: {no_subclasses}" if no_subclasses else "",
        "geometry": f"all but separation_slope and separation_fit: {no_head}" if no_head else "",
        "dimension": f"all: {no_head}" if no_head else "",
        "neurons": "",
        "subclass": f"all: {no_subclasses or no_head}" if no_subclasses or no_head else "",
        "outputs": "" if beside.logits else f"all: {beside.reasons.get('logits', 'logits are not known')}",
        "controls": f"{', '.join(uncounted)}: not counted" if uncounted else "",
    }


def key_of(cache_key: str, chosen: Sequence[Chosen], options: Options) -> str:
    """The content key of the record that `record_of` makes."""
    return content_key(
        cache=cache_key, version=records.VERSION, measures=[one.identity for one in chosen], **asdict(options)
    )


def stored_key(path: Path, chosen: Sequence[Chosen], options: Options) -> str | None:
    """`key_of` the cache at `path`; None when it cannot be read."""
    cache_key = stored_content_key(path)
    return None if cache_key is None else key_of(cache_key, chosen, options)


def record_of(
    found: Known,
    source: Path,
    chosen: Sequence[Chosen],
    options: Options,
    progress: Callable[[int], None] = lambda neurons: None,
    processes: int = 1,
) -> Record:
    """The record of the activations `found` in the file `source`.

    Raises, naming it, FormatError for NaN or infinity, and Ended when one of several `processes` is killed.
    """
    wanted = [one.measure for one in chosen]
    try:
        result = measure_sites(given_of(found), wanted, options, progress, processes)
    except (FormatError, Ended) as error:
        raise type(error)(f"{source}: {error.message}", error.hint) from error
    settings: records.Settings = {
        "convention": options.convention,
        "k": options.k,
        "layer_k": options.layer_k,
        "site_k": options.site_k if options.per_site else None,
    }
    if options.k == AUTO:
        settings = {**settings, "k_taken": options.settled(sum(site.shape[1] for site in found.sites)).neurons}
    curves = None
    if result.all_k is not None:
        curves = {name: None if curve is None else tuple(curve.tolist()) for name, curve in result.all_k.items()}
    head = {key: found.metadata.get(key) for key in records.HEAD}
    content = records.as_json(
        Record(
            records.MEASURE,
            "",
            "",
            result.measures,
            settings=settings,
            described=described(wanted, settings),
            groups=result.groups,
            sites=result.per_site,
            all_k=curves,
            notes=result.notes,
            content_key=key_of(found.content_key, chosen, options),
            generated_by=f"icc {__version__}",
        )
    )
    return records.from_json({**content, **head}, str(source))


def described(measures: Sequence[Measure], settings: records.Settings) -> dict[str, Described]:
    """What a record says of the measures that are not the paper's."""
    return {
        one.name: Described(one, {**{key: settings[key] for key in one.settings if key in settings}, **dict(one.fixed)})
        for one in measures
        if one.name not in GROUPS[PAPER]
    }
