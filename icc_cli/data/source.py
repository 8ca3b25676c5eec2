"""From `--data SPEC` and its companions to a Dataset."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from icc_cli.data import digits, folder
from icc_cli.data.dataset import Dataset, Split
from icc_cli.data.hierarchy import Hierarchy, with_hierarchy
from icc_cli.data.resize import Resized
from icc_cli.errors import DataError, UsageError
from icc_cli.files import check_there, input_errors
from icc_cli.nearest import did_you_mean, nearest

READERS = {"digits": digits.load}
TORCHVISION = ("cifar10", "cifar100", "cifar100-coarse", "fashion-mnist")
PATH_READERS = {
    "npz": "icc_cli.data.arrays:load_npz",
    "h5": "icc_cli.data.arrays:load_h5",
}
"""What reads `KIND:PATH`: a function of the specification and the path, which gives a Dataset."""
PATHS = ("folder:", *(f"{name}:" for name in PATH_READERS))


@dataclass(frozen=True)
class DataSource:
    """A data set as the user names it: the specification and what modifies it."""

    spec: str
    root: Path = Path("data")
    download: bool = False
    hierarchy: Mapping[str, str] | Hierarchy | None = None
    """What `--hierarchy` names, or subclass name (or number) to class name, as a checkpoint has it."""
    per_class: int | None = None
    """How many training samples of each finest label are kept."""
    image_size: int | None = None
    """Side of the square that every image is resized to."""
    test_per_class: int | None = None


def is_code(spec: str) -> bool:
    """Whether `spec` names Python of the user's. It is run when the user names it, never because a file does."""
    kind, colon, _ = spec.rpartition(":")
    return bool(colon) and (kind.endswith(".py") or kind.replace(".", "").isidentifier()) and not spec.startswith(PATHS)


def load(source: DataSource) -> Dataset:
    """Read the data set that `source` names.

    Raises UsageError for a specification that is not known, DataError for data that cannot be read.
    """
    with input_errors(Path(source.spec), DataError):
        return _load(source)


def _load(source: DataSource) -> Dataset:
    kind, colon, path = source.spec.partition(":")
    if f"{kind}:" in PATHS and colon:
        check_there(Path(path), kind=DataError)
    if colon and kind in PATH_READERS:
        module, _, name = PATH_READERS[kind].partition(":")
        dataset: Dataset = getattr(import_module(module), name)(source.spec, Path(path))
    elif colon and kind == "folder":
        dataset = folder.load(source.spec, Path(path), source.image_size)
    elif is_code(source.spec):
        from icc_cli.data import function

        dataset = function.load(source.spec)
    elif source.spec in READERS:
        dataset = READERS[source.spec]()
    elif source.spec in TORCHVISION:
        from icc_cli.data import torchvision_sets

        dataset = torchvision_sets.load(source.spec, source.root, source.download)
    else:
        raise _unknown(source.spec)
    described: dict[str, object] = {"spec": source.spec, "hierarchy": None, "per_class": None}
    if source.image_size is not None:
        described["image_size"] = source.image_size
        if kind != "folder":
            dataset = _resized(dataset, source.image_size)
    dataset = replace(dataset, described=described)
    if source.hierarchy is not None:
        dataset = with_hierarchy(dataset, source.hierarchy)
    return dataset.first_per_class(source.per_class, source.test_per_class)


def _unknown(spec: str) -> UsageError:
    """What to write in the place of a path, or of a name that is nearly one."""
    path = Path(spec)
    kind = "folder" if path.is_dir() else path.suffix[1:]
    if path.exists() and f"{kind}:" in PATHS:
        return UsageError(f"{spec!r} is a path, and --data says what kind it is of.", f"Write --data {kind}:{spec}.")
    if path.suffix == ".py":
        return UsageError(f"{spec!r} names no function.", f"Write --data {spec}:FUNCTION.")
    names = [*READERS, *TORCHVISION]
    known = [*names, "folder:PATH", *(f"{name}:PATH" for name in PATH_READERS), "file.py:NAME"]
    hint = f"{did_you_mean(nearest(spec, names))}Expected one of: {', '.join(known)}."
    return UsageError(f"unknown data set {spec!r}.", hint)


def _resized(dataset: Dataset, size: int) -> Dataset:
    def split(old: Split) -> Split:
        return replace(old, samples=Resized(old.images, size))

    return replace(dataset, train=split(dataset.train), test=None if dataset.test is None else split(dataset.test))
