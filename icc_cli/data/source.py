"""From `--data SPEC` and its companions to a Dataset."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from icc_cli.data import arrays, digits
from icc_cli.data.dataset import Dataset, Split
from icc_cli.errors import UsageError

READERS = {"digits": digits.load}
PATH_READERS = {"npz": arrays.load_npz, "h5": arrays.load_h5}


@dataclass(frozen=True)
class DataSource:
    """A data set as the user names it: the specification and what modifies it."""

    spec: str
    root: Path = Path("data")
    download: bool = False
    hierarchy: dict[str, str] | None = None
    """Subclass name (or number) to class name, from `--hierarchy`."""
    per_class: int | None = None


def load(source: DataSource) -> Dataset:
    """Read the data set that `source` names.

    Raises UsageError for a specification that is not known, DataError for data that cannot be read.
    """
    kind, colon, path = source.spec.partition(":")
    if colon and kind in PATH_READERS:
        dataset = PATH_READERS[kind](source.spec, Path(path))
    elif source.spec in READERS:
        dataset = READERS[source.spec]()
    elif source.spec in TORCHVISION:
        from icc_cli.data import torchvision_sets

        dataset = torchvision_sets.load(source.spec, source.root, source.download)
    else:
        known = [*READERS, *TORCHVISION, *(f"{name}:PATH" for name in PATH_READERS)]
        raise UsageError(f"unknown data set {source.spec!r}.", f"Expected one of: {', '.join(known)}.")
    described: dict[str, object] = {"spec": source.spec, "hierarchy": None, "per_class": None}
    dataset = replace(dataset, described=described)
    if source.hierarchy is not None:
        dataset = with_hierarchy(dataset, source.hierarchy)
    if source.per_class is not None:
        dataset = dataset.first_per_class(source.per_class)
    return dataset


TORCHVISION = ("cifar10", "cifar100", "cifar100-coarse", "fashion-mnist")


def read_hierarchy(path: Path) -> dict[str, str]:
    """The `--hierarchy` table: columns subclass and class, names or numbers."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot read the hierarchy {path}: {error}.") from error
    if not rows or not {"subclass", "class"} <= set(rows[0]):
        raise UsageError(f"the hierarchy {path} needs the columns subclass and class.")
    mapping: dict[str, str] = {}
    for row in rows:
        subclass, label = (row["subclass"] or "").strip(), (row["class"] or "").strip()
        if not subclass or not label or mapping.get(subclass, label) != label:
            raise UsageError(f"the hierarchy {path} has an empty or contradictory row for subclass {subclass!r}.")
        mapping[subclass] = label
    return mapping


def with_hierarchy(dataset: Dataset, mapping: dict[str, str]) -> Dataset:
    """Make the labels subclasses, and the classes that `mapping` gives them the labels.

    Keys are label names, or label numbers where the data has no names. Classes are numbered in the order of
    their numbers when all are numbers, of their names otherwise.
    """
    values = set(mapping.values())
    numeric = all(value.isdecimal() for value in values)
    classes = sorted(values, key=int) if numeric else sorted(values)
    table = np.full(dataset.num_classes, -1, np.int64)
    for label in range(dataset.num_classes):
        name = dataset.label_names[label] if label < len(dataset.label_names) else str(label)
        target = mapping.get(name, mapping.get(str(label)))
        if target is not None:
            table[label] = classes.index(target)
    missing = [label for label in np.unique(dataset.train.labels) if table[label] < 0]
    if missing:
        names = [dataset.label_names[m] if m < len(dataset.label_names) else str(m) for m in missing]
        raise UsageError("the hierarchy gives no class for some labels of the data:", details=names)

    def lifted(split: Split) -> Split:
        return Split(split.images, table[split.labels], split.labels)

    return replace(
        dataset,
        train=lifted(dataset.train),
        test=None if dataset.test is None else lifted(dataset.test),
        label_names=tuple(classes),
        sublabel_names=dataset.label_names,
        described={**dataset.described, "hierarchy": mapping},
    )
