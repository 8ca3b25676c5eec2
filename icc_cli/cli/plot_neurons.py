"""`icc plot neurons`: distributions of single neurons, from caches."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icc_cli.cli import _options as options
from icc_cli.cli._figures import Numbers, Output, destination, write
from icc_cli.cli._inputs import CACHE_SUFFIXES, Input, expand
from icc_cli.errors import UsageError
from icc_cli.files import check_there

if TYPE_CHECKING:
    from icc_cli.cache.read import Cache
    from icc_cli.data import Dataset
    from icc_cli.plots.style import Row


def neurons(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="CACHE...", help="A cache, or several of one network along its training (a folder)."),
    ],
    output: Output = None,
    data: Numbers = None,
    neuron: Annotated[
        list[str] | None,
        typer.Option(metavar="SITE:N", help="Neuron N (from 0) of a site; repeatable. Default: the most selective."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this class or subclass (name or number); repeatable.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=8, help="How many neurons for each of c3 and c1.")] = 3,
    images: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC", help="Show the images that activate each neuron most, from this data; auto: the cache's."
        ),
    ] = None,
    root: options.Root = Path("data"),
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Pre-activations of single neurons: a class in the data set, a subclass in its class (Figures 2 and 7).

    By default the neurons with the highest sigma_class / sigma_data (c3) and selectivity (c1). Several caches show
    the neurons that are the most selective in the last one (by epoch) along training.
    """
    from icc_cli.plots import neuron_choice as choice
    from icc_cli.plots import neurons as figure

    path = destination(output, "neurons")
    items = list(expand(inputs, CACHE_SUFFIXES))
    with contextlib.ExitStack() as stack:
        caches = _caches(items, stack)
        last = caches[-1]
        groups = choice.groups_of(last, label)
        if neuron:
            chosen = [one for text in neuron for one in choice.best_groups(last, *_neuron(text), groups)]
        else:
            chosen = choice.most_selective(last, groups, count)
        rows: list[Row] = []
        for cache, name in zip(caches, _cache_names(caches), strict=True):
            found = choice.shown(cache, chosen)
            rows += figure.rows(cache, name, found)
        sheets = None
        if images:
            dataset = _images(last, images, root)
            ids = last.sample_id
            sheets = {key: dataset.train.take(ids[best]).images[:] for key, best in choice.sheet_rows(found).items()}
        write(rows, lambda found: figure.draw(found, sheets), path, data, 0)


def _caches(items: Sequence[Input], stack: contextlib.ExitStack) -> "list[Cache]":
    """The caches, open, in the order of their epochs where they have one."""
    from icc_cli.cache import open_cache

    for item in items:
        check_there(item.path)
    caches = [stack.enter_context(open_cache(item.path)) for item in items]
    if not caches:
        raise UsageError("there is no input.", "Name caches, or folders of them.")
    if all(cache.metadata.get("epoch") is not None for cache in caches):
        caches.sort(key=lambda cache: cache.metadata["epoch"])
    return caches


def _cache_names(caches: "Sequence[Cache]") -> list[str]:
    epochs = [cache.metadata.get("epoch") for cache in caches]
    if len(set(epochs)) == len(caches) and None not in epochs:
        return [f"epoch {epoch}" for epoch in epochs]
    return [cache.metadata["checkpoint"] for cache in caches]


def _images(cache: "Cache", spec: str, root: Path) -> "Dataset":
    from icc_cli.data import DataSource, load
    from icc_cli.data.source import is_code

    known = cache.metadata.get("data") or {}
    if spec == "auto" and not known.get("spec"):
        raise UsageError(f"{cache.path} does not say which data it is of.", "Name them with --images.")
    if spec == "auto" and is_code(known["spec"]):  # a file must not choose which code is run
        raise UsageError(
            f"{cache.path} is of the data of {known['spec']!r}, which is code.",
            f"If you trust it, say so: --images {known['spec']}.",
        )
    spec = known["spec"] if spec == "auto" else spec
    source = DataSource(spec, root, False, known.get("hierarchy"), known.get("per_class"), known.get("image_size"))
    dataset = load(source)
    if known.get("digest") not in (None, dataset.digest):
        raise UsageError(
            f"{source.spec} holds other images or labels than {cache.path} was taken on.",
            "Name the same data with --images.",
        )
    return dataset


def _neuron(text: str) -> tuple[str, int]:
    site, _, number = text.rpartition(":")
    if not site or not number.isdigit():
        raise UsageError(f"--neuron {text!r} is not SITE:N.", "`icc inspect` lists a cache's sites.")
    return site, int(number)
