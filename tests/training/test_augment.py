"""Augmentation against numpy's reflect padding: every shift in range, nothing else, the same for a seed."""

import numpy as np
import torch

from icc_cli.training.augment import take


def oracle(image, dy, dx, flipped, shift):
    height, width, _ = image.shape
    padded = np.pad(image, ((shift, shift), (shift, shift), (0, 0)), mode="reflect")
    window = padded[shift + dy : shift + dy + height, shift + dx : shift + dx + width]
    return window[:, ::-1] if flipped else window


def test_every_result_is_a_reflected_shift_and_all_occur():
    rng = np.random.default_rng(0)
    image = rng.permutation(7 * 6 * 2).astype(np.uint8).reshape(1, 7, 6, 2)
    rows = torch.zeros(2000, dtype=torch.long)
    out = take(torch.from_numpy(image), rows, 2, True, torch.Generator().manual_seed(0)).numpy()
    moves = [(dy, dx, f) for dy in range(-2, 3) for dx in range(-2, 3) for f in (False, True)]
    expected = {oracle(image[0], *move, 2).tobytes() for move in moves}
    assert {np.ascontiguousarray(result).tobytes() for result in out} == expected
    assert len(expected) == 50


def test_each_row_is_its_own_image_and_a_seed_decides():
    images = torch.arange(3, dtype=torch.uint8)[:, None, None, None].expand(3, 8, 8, 1).contiguous()
    rows = torch.tensor([2, 0, 1, 2])
    first, again = (take(images, rows, 4, True, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(first.amax((1, 2, 3)), rows.to(torch.uint8))
    assert torch.equal(take(images, rows, 0, False, torch.Generator()), images[rows])
