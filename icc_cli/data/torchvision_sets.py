"""torchvision's CIFAR-10, CIFAR-100 and Fashion-MNIST, read from `--root`."""

from pathlib import Path
from typing import Any

import numpy as np

from icc_cli.data.dataset import Dataset, Split
from icc_cli.errors import DataError

CLASSES = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "cifar100-coarse": "CIFAR100", "fashion-mnist": "FashionMNIST"}
NORMALISATION = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "cifar100-coarse": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "fashion-mnist": ((0.2860,), (0.3530,)),
}
CIFAR100_SUPERCLASSES = {
    "aquatic_mammals": "beaver dolphin otter seal whale",
    "fish": "aquarium_fish flatfish ray shark trout",
    "flowers": "orchid poppy rose sunflower tulip",
    "food_containers": "bottle bowl can cup plate",
    "fruit_and_vegetables": "apple mushroom orange pear sweet_pepper",
    "household_electrical_devices": "clock keyboard lamp telephone television",
    "household_furniture": "bed chair couch table wardrobe",
    "insects": "bee beetle butterfly caterpillar cockroach",
    "large_carnivores": "bear leopard lion tiger wolf",
    "large_man-made_outdoor_things": "bridge castle house road skyscraper",
    "large_natural_outdoor_scenes": "cloud forest mountain plain sea",
    "large_omnivores_and_herbivores": "camel cattle chimpanzee elephant kangaroo",
    "medium_mammals": "fox porcupine possum raccoon skunk",
    "non-insect_invertebrates": "crab lobster snail spider worm",
    "people": "baby boy girl man woman",
    "reptiles": "crocodile dinosaur lizard snake turtle",
    "small_mammals": "hamster mouse rabbit shrew squirrel",
    "trees": "maple_tree oak_tree palm_tree pine_tree willow_tree",
    "vehicles_1": "bicycle bus motorcycle pickup_truck train",
    "vehicles_2": "lawn_mower rocket streetcar tank tractor",
}
"""Krizhevsky's superclasses in their numeric order, each with its five classes."""


def load(spec: str, root: Path, download: bool) -> Dataset:
    """Read `spec` from `root`; DataError when it is not there and `download` is off."""
    import torchvision.datasets

    factory = getattr(torchvision.datasets, CLASSES[spec])
    try:
        train, test = (factory(str(root), train=is_train, download=download) for is_train in (True, False))
    except RuntimeError as error:
        raise DataError(
            f"{spec} is not under {root}, or is damaged: {error}.", "Name its folder with --root, or add --download."
        ) from error
    except OSError as error:
        raise DataError(f"{spec} cannot be downloaded to {root}: {error}.") from error
    mean, std = NORMALISATION[spec]
    names = tuple(train.classes)
    dataset = Dataset(spec, _split(train), _split(test), names, mean=mean, std=std)
    return _by_superclass(dataset) if spec == "cifar100-coarse" else dataset


def _split(source: Any) -> Split:
    images = np.asarray(source.data)
    return Split(images if images.ndim == 4 else images[..., None], np.asarray(source.targets, np.int64))


def _by_superclass(dataset: Dataset) -> Dataset:
    from icc_cli.data.hierarchy import with_hierarchy

    mapping = {fine: coarse for coarse, members in CIFAR100_SUPERCLASSES.items() for fine in members.split()}
    return with_hierarchy(dataset, mapping)
