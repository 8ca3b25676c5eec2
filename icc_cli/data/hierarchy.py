"""Label hierarchies: subclasses and the classes that they belong to."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from icc_cli.data.dataset import Dataset, Split
from icc_cli.errors import UsageError


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
        return Split(split.samples, table[split.labels], split.labels)

    return replace(
        dataset,
        train=lifted(dataset.train),
        test=None if dataset.test is None else lifted(dataset.test),
        label_names=tuple(classes),
        sublabel_names=dataset.label_names,
        described={**dataset.described, "hierarchy": mapping},
    )
