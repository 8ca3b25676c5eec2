"""`--image-size`: every image becomes a square of the same side."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from icc_cli.errors import DataError
from icc_cli.resources import check_memory

if TYPE_CHECKING:
    from icc_cli.data.dataset import Images


def fitted(image: Any, size: int | None) -> Any:
    """A Pillow image after torchvision's Resize(size) and CenterCrop(size), to the last bit; as it is for None.

    The shorter side becomes `size` (bilinear, antialiased), the longer one is truncated to whole pixels; the offset of
    the centre square is rounded, halves to the even number.
    """
    from PIL import Image

    if size is None or image.size == (size, size):
        return image
    short = min(image.size)
    width, height = (size if side == short else int(size * side / short) for side in image.size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))


def shape_after(width: int, height: int, size: int | None) -> tuple[int, int]:
    """(height, width) of an image after `fitted`."""
    return (height, width) if size is None else (size, size)


def unread(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An array for images (N, H, W, C) that are to be read; DataError when it takes more memory than is free."""
    what = f"reading {shape[0]} images of {shape[2]} x {shape[1]} pixels"
    check_memory(math.prod(shape), what, DataError, "Is --image-size right?")
    return np.empty(shape, np.uint8)


@dataclass(frozen=True)
class Resized:
    """Images that are resized when they are read: (N, H, W, C) uint8 to (N, size, size, C)."""

    images: "Images"
    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.images), self.size, self.size, self.images.shape[3]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        from PIL import Image

        images = self.images[rows]
        found = unread((len(images), *self.shape[1:]))
        for row, image in enumerate(images):
            for channel in range(self.shape[3]):
                found[row, :, :, channel] = np.asarray(fitted(Image.fromarray(image[:, :, channel]), self.size))
        return found
