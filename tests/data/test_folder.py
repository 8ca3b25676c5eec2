"""Images in folders: layouts, odd modes and sizes, broken files; and resizing, against Pillow and torchvision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from icc_cli.data import DataSource, load
from icc_cli.data.resize import fitted
from icc_cli.errors import DataError
from tests.conftest import icc

RNG = np.random.default_rng(0)


def picture(path, image=None, size=(6, 5)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) if image is None else image
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path)
    return image


def folder(path, **options):
    return load(DataSource(f"folder:{path}", **options))


def test_classes_and_images_are_numbered_as_imagefolder_does(tmp_path):
    from torchvision.datasets import ImageFolder

    for name in ("zebra", "ant", "Bee"):
        for number in ("10", "9", "1"):
            picture(tmp_path / name / f"{number}.png")
    (tmp_path / "ant" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "ant" / "._1.png").write_bytes(b"x")
    data = folder(tmp_path)
    (tmp_path / "ant" / "._1.png").unlink()
    theirs = [(np.asarray(image), label) for image, label in ImageFolder(tmp_path)]
    assert data.label_names == ("Bee", "ant", "zebra")
    assert data.train.sublabels is None and data.test is None
    assert data.train.images.shape == (9, 5, 6, 3)
    assert np.array_equal(data.train.labels, [label for _, label in theirs])
    assert np.array_equal(data.train.images[:], np.stack([image for image, _ in theirs]))
    rows = np.array([7, 0, 3])
    assert np.array_equal(data.train.images[rows], data.train.images[:][rows])


def test_subclass_folders_and_a_test_split(tmp_path):
    for split in ("train", "test"):
        for name in ("a/x", "a/y", "b/x", "b/z"):
            picture(tmp_path / split / name / "1.png")
    data = folder(tmp_path)
    assert data.sublabel_names == ("x", "y", "z")
    assert data.train.labels.tolist() == [0, 0, 1, 1]
    assert data.train.sublabels.tolist() == [0, 1, 0, 2]
    assert data.test.labels.tolist() == [0, 0, 1, 1]
    first = data.first_per_class(1)
    assert np.array_equal(first.train.images[:], data.train.images[first.train.order()])
    assert first.digest == folder(tmp_path, per_class=1).digest


def test_odd_modes_become_rgb(tmp_path):
    colours = RNG.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    grey = RNG.integers(0, 256, (5, 6), dtype=np.uint8)
    deep = RNG.integers(0, 2**16, (5, 6), dtype=np.uint16)
    rgb = Image.fromarray(colours)
    images = {
        "1-rgb.png": (rgb, colours),
        "2-grey.png": (grey, np.repeat(grey[..., None], 3, axis=2)),
        "3-palette.png": (rgb.quantize(8), np.asarray(rgb.quantize(8).convert("RGB"))),
        "4-alpha.png": (np.dstack([colours, grey]), colours),
        "5-deep.png": (Image.fromarray(deep), np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, axis=2)),
        "6-bits.png": (rgb.convert("1"), np.asarray(rgb.convert("1").convert("RGB"))),
        "7-cmyk.tiff": (rgb.convert("CMYK"), np.asarray(rgb.convert("CMYK").convert("RGB"))),
        "8-grey-alpha.png": (Image.fromarray(grey).convert("LA"), np.repeat(grey[..., None], 3, axis=2)),
    }
    for name, (image, _) in images.items():
        picture(tmp_path / "class" / name, image)
    found = folder(tmp_path).train.images[:]
    for row, (name, (_, expected)) in enumerate(images.items()):
        assert np.array_equal(found[row], expected), name


def test_image_size_is_torchvisions_resize_and_centre_crop(tmp_path):
    from torchvision import transforms

    theirs = transforms.Compose([transforms.Resize(8), transforms.CenterCrop(8)])
    sizes = [(20, 30), (31, 17), (8, 8), (5, 9), (8, 40), (9, 8), (8, 11), (500, 375), (37, 50), (101, 29), (8, 13)]
    expected = []
    for number, size in enumerate(sizes):
        image = picture(tmp_path / "class" / f"{number}.png", size=size)
        expected.append(np.asarray(theirs(Image.fromarray(image))))
    with pytest.raises(DataError, match="differ in size, from 8 x 8 to 500 x 375") as caught:
        folder(tmp_path)
    assert "--image-size" in str(caught.value)
    found = dict(zip(sorted(map(str, range(len(sizes)))), folder(tmp_path, image_size=8).train.images[:], strict=True))
    for number, size in enumerate(sizes):
        assert np.array_equal(found[str(number)], expected[number]), size
    assert folder(tmp_path, image_size=8).described["image_size"] == 8


def test_arrays_are_resized_too(tmp_path):
    data, small = load(DataSource("digits")), load(DataSource("digits", image_size=4))
    assert small.train.images.shape == (len(data.train), 4, 4, 1)
    assert small.digest != data.digest
    images = small.train.images[:]
    for row in (0, 17, 400):
        image = Image.fromarray(data.train.images[row, :, :, 0]).resize((4, 4), Image.Resampling.BILINEAR)
        assert np.array_equal(images[row, :, :, 0], np.asarray(image))


def test_the_digest_follows_names_and_bytes(tmp_path):
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        picture(tmp_path / name)
    digest = folder(tmp_path).digest
    assert folder(tmp_path).digest == digest
    picture(tmp_path / "a" / "2.png")
    assert folder(tmp_path).digest != digest


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "no class folders"),
        (["1.png"], "no class folders"),
        (["a/1.png", "b/readme.txt"], "holds no images"),
        (["a/1.png", "b/x/1.png"], "mixes images with and without"),
        (["a/1.png", "a/x/1.png"], "mixes images with and without"),
        (["train/a/1.png", "test/b/1.png"], "a class that"),
    ],
)
def test_wrong_layouts_are_said(files, words, tmp_path):
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(path) if name.endswith(".png") else path.write_text("no image")
    with pytest.raises(DataError, match=words):
        folder(tmp_path)


def test_broken_images_are_named(tmp_path):
    import torch

    from icc_cli.models.spec import ModelSpec, build

    weights = build(ModelSpec("vgg", {"base_width": 4, "in_channels": 3, "input_size": 8, "num_classes": 3}))
    torch.save(weights.state_dict(), tmp_path / "net.pt")
    picture(tmp_path / "images" / "a" / "good.png", size=(8, 8))
    for name, content in (("text.png", b"no image"), ("empty.jpg", b"")):
        (tmp_path / "images" / "a" / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        folder(tmp_path / "images")
    assert len(caught.value.details) == 2 and "text.png" in str(caught.value) and "empty.jpg" in str(caught.value)
    for name in ("text.png", "empty.jpg"):
        (tmp_path / "images" / "a" / name).unlink()
    picture(tmp_path / "images" / "a" / "late.png", size=(8, 8))
    whole = (tmp_path / "images" / "a" / "late.png").read_bytes()
    (tmp_path / "images" / "a" / "late.png").write_bytes(whole[: len(whole) // 2])
    done = icc(
        "extract", tmp_path / "net.pt", "--data", f"folder:{tmp_path / 'images'}", "--mean", "0.5",
        "--std", "0.5", "-o", tmp_path / "acts.h5", "--model", "vgg:base_width=4,input_size=8",
    )  # fmt: skip
    assert done.returncode == 2
    assert "late.png is broken" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "acts.h5").exists()


def test_a_folder_needs_a_normalisation(tmp_path, checkpoints):
    import torch

    picture(tmp_path / "images" / "a" / "1.png", size=(8, 8))
    content = torch.load(sorted(checkpoints.glob("*.pt"))[0], weights_only=True)
    torch.save(content["state_dict"], tmp_path / "net.pt")
    done = icc("extract", tmp_path / "net.pt", "--model", "vgg", "--data", f"folder:{tmp_path / 'images'}")
    assert done.returncode == 2
    assert "--mean" in done.stderr


@given(width=st.integers(1, 60), height=st.integers(1, 60), size=st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_fitted_equals_torchvision_for_every_size(width, height, size):
    from torchvision import transforms

    image = Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8))
    theirs = transforms.Compose([transforms.Resize(size), transforms.CenterCrop(size)])(image)
    ours = fitted(image, size)
    assert ours.size == (size, size) and np.array_equal(np.asarray(ours), np.asarray(theirs))
