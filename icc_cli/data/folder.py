"""Images in folders: class/image, or class/subclass/image, in PATH itself or in its train and test folders."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icc_cli.data.dataset import Dataset, Split
from icc_cli.data.resize import fitted, shape_after, unread
from icc_cli.errors import DataError
from icc_cli.resources import cpus

SUFFIXES = (".png", ".jpg", ".jpeg", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif")
TEST_FOLDERS = ("test", "val", "validation")
HINT = "Expected PATH/class/image.png or PATH/class/subclass/image.png, or both in PATH/train and PATH/test."


@dataclass(frozen=True)
class ImageFiles:
    """Image files that are read when they are asked for: rows of (N, H, W, 3) uint8.

    Grey, palette, CMYK and transparent images become RGB as Pillow converts them, 16-bit grey keeps its upper byte.
    """

    root: Path
    files: tuple[Path, ...]
    size: int | None
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        chosen = self.files[rows] if isinstance(rows, slice) else [self.files[row] for row in rows]
        images = unread((len(chosen), *self.shape[1:]))
        for row, image in enumerate(_threads().map(self._read, chosen)):
            images[row] = image
        return images

    def _read(self, path: Path) -> NDArray[np.uint8]:
        from PIL import Image

        try:
            with Image.open(path) as file:
                image = np.asarray(fitted(_rgb(file), self.size))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataError(f"the image {path} is broken: {error}.", "Remove it or replace it.") from error
        if image.shape != self.shape[1:]:
            raise DataError(f"the image {path} has another size than when the folder was listed.")
        return image

    def select(self, rows: NDArray[np.int64]) -> "ImageFiles":
        """The files of `rows`, still unread."""
        files = tuple(self.files[row] for row in rows)
        return ImageFiles(self.root, files, self.size, (len(files), *self.shape[1:]))

    def fingerprint(self) -> bytes:
        """sha256 over the files' names and bytes, in order."""
        digest = hashlib.sha256()
        for path in self.files:
            content = path.read_bytes()
            digest.update(f"{path.relative_to(self.root)}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.digest()


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cpus())


def _rgb(image: Any) -> Any:
    from PIL import Image

    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are of the mode {image.mode!r}, whose range is not known")
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def load(spec: str, path: Path, size: int | None) -> Dataset:
    """The images under `path`; classes and subclasses are numbered in the order of their names.

    `size` resizes as `icc_cli.data.resize.fitted` does. DataError for a folder that is not laid out so, for broken
    images (named), and for images of several sizes when no `size` is given.
    """
    if not path.is_dir():
        raise DataError(f"the data folder {path} does not exist.", HINT)
    test = next((path / name for name in TEST_FOLDERS if (path / name).is_dir()), None)
    if not (path / "train").is_dir():
        train, test = path, None
    else:
        train = path / "train"
    label_names = _folders(train)
    listed = _listed(train, label_names)
    sublabel_names = sorted({sub for _, sub, _ in listed if sub is not None})
    split = _split(train, listed, label_names, sublabel_names, size)
    held_out = None
    if test is not None:
        unknown = sorted(set(_folders(test)) - set(label_names))
        if unknown:
            raise DataError(f"{test} has a class that {train} does not have: {unknown[0]!r}.")
        rows = _listed(test, [name for name in label_names if (test / name).is_dir()])
        known = all(sub in sublabel_names for _, sub, _ in rows)
        held_out = _split(test, rows, label_names, sublabel_names if known else [], size)
        if held_out.images.shape[1:] != split.images.shape[1:]:
            raise DataError(f"the images of {test} and {train} differ in size.", "Give --image-size.")
    return Dataset(spec, split, held_out, tuple(label_names), tuple(sublabel_names))


Row = tuple[str, str | None, Path]


def _folders(path: Path) -> list[str]:
    return sorted(item.name for item in path.iterdir() if item.is_dir() and not item.name.startswith("."))


def _images(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


def _listed(root: Path, classes: Sequence[str]) -> list[Row]:
    """(class, subclass or None, file) of every image under `root`, in order."""
    if not classes:
        raise DataError(f"{root} holds no class folders.", HINT)
    rows: list[Row] = []
    depths = set()
    for name in classes:
        images, inner = _images(root / name), _folders(root / name)
        found: list[Row] = [(name, None, image) for image in images]
        for sub in inner:
            found += [(name, sub, image) for image in _images(root / name / sub)]
        if not found:
            raise DataError(f"the class folder {root / name} holds no images.", f"Known: {', '.join(SUFFIXES)}.")
        depths |= {sub is None for _, sub, _ in found}
        if len(depths) > 1:
            raise DataError(f"{root / name} mixes images with and without a subclass folder.", HINT)
        rows += found
    return rows


def _split(root: Path, rows: list[Row], classes: list[str], subclasses: list[str], size: int | None) -> Split:
    shapes = _checked([path for _, _, path in rows], lambda width, height: shape_after(width, height, size))
    if len(shapes) > 1:
        small, large = min(shapes), max(shapes)
        raise DataError(
            f"the images of {root} differ in size, from {small[1]} x {small[0]} to {large[1]} x {large[0]} pixels.",
            "Give --image-size, for example --image-size 224.",
        )
    (height, width) = shapes.pop()
    files = tuple(path for _, _, path in rows)
    images = ImageFiles(root, files, size, (len(files), height, width, 3))
    labels = np.array([classes.index(name) for name, _, _ in rows], np.int64)
    if not subclasses:
        return Split(images, labels)
    number = {name: index for index, name in enumerate(subclasses)}
    return Split(images, labels, np.array([number[str(sub)] for _, sub, _ in rows], np.int64))


def _checked(files: list[Path], shape: Callable[[int, int], tuple[int, int]]) -> set[tuple[int, int]]:
    """The (height, width) that occur, from the files' headers. DataError names those that cannot be opened."""
    from PIL import Image

    def header(path: Path) -> tuple[int, int] | str:
        try:
            with Image.open(path) as file:
                return shape(*file.size)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            return f"{path}: {error}"

    found = list(_threads().map(header, files))
    broken = [item for item in found if isinstance(item, str)]
    if broken:
        raise DataError(f"{len(broken)} images cannot be opened.", "Remove them or replace them.", details=broken)
    return {item for item in found if not isinstance(item, str)}
