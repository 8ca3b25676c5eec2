"""Five of CIFAR-100's superclasses, whole: 25 classes with all of their images, labels renumbered from 0.

python subset.py CIFAR100.npz OUT.npz

CIFAR100.npz holds `images`, `labels` (the 20 superclasses), `sublabels` (the 100 classes), the same three with the
prefix `test_`, and `label_names` and `sublabel_names`. OUT.npz holds the same arrays of the five superclasses; both
kinds of label keep their order.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from icc_cli.files import atomic_path

SUPERCLASSES = ("fish", "flowers", "household_furniture", "large_carnivores", "vehicles_1")

Arrays = dict[str, NDArray[np.generic]]


def subset(arrays: Mapping[str, NDArray[np.generic]], superclasses: tuple[str, ...] = SUPERCLASSES) -> Arrays:
    """The samples of `superclasses`; ValueError when one of them is not in `label_names`."""
    label_names = arrays["label_names"].tolist()
    kept = np.array(sorted(label_names.index(name) for name in superclasses))
    classes = np.unique(arrays["sublabels"][np.isin(arrays["labels"], kept)])
    found: Arrays = {"label_names": arrays["label_names"][kept], "sublabel_names": arrays["sublabel_names"][classes]}
    for prefix in ("", "test_"):
        rows = np.isin(arrays[f"{prefix}labels"], kept)
        found[f"{prefix}images"] = arrays[f"{prefix}images"][rows]
        found[f"{prefix}labels"] = np.searchsorted(kept, arrays[f"{prefix}labels"][rows])
        found[f"{prefix}sublabels"] = np.searchsorted(classes, arrays[f"{prefix}sublabels"][rows])
    return found


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    with np.load(source) as arrays, atomic_path(target) as temporary, temporary.open("wb") as file:
        np.savez(file, **subset(arrays))


if __name__ == "__main__":
    main()
