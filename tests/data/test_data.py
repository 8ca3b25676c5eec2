"""Data sets: order, hierarchies, subsets, array files."""

import h5py
import numpy as np
import pytest

from icc_cli.data import DataSource, load
from icc_cli.data.hierarchy import read_hierarchy
from icc_cli.data.torchvision_sets import CIFAR100_SUPERCLASSES
from icc_cli.errors import DataError, UsageError
from tests.conftest import SHARED


def arrays(count=6, **changes):
    images = np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2)
    return {"images": images, "labels": np.arange(count) % 3, **changes}


def test_digits_are_ten_subclasses_of_three_classes():
    data = load(DataSource("digits"))
    assert len(data.train) + len(data.test) == 1797
    assert data.image_shape == (8, 8, 1) and data.num_classes == 3
    pairs = set(zip(data.train.labels.tolist(), data.train.sublabels.tolist(), strict=True))
    assert len(pairs) == 10 and pairs == set(zip(data.test.labels.tolist(), data.test.sublabels.tolist(), strict=True))
    pixels = data.train.images / 255
    assert data.mean[0] == pytest.approx(pixels.mean(), abs=0.01) and data.std[0] == pytest.approx(
        pixels.std(), abs=0.01
    )


def test_per_class_keeps_the_first_of_each_finest_label():
    whole, part = load(DataSource("digits")), load(DataSource("digits", per_class=7))
    assert np.bincount(part.train.sublabels).tolist() == [7] * 10 and len(part.test) == len(whole.test)
    for digit in range(10):
        first = whole.train.images[whole.train.sublabels == digit][:7]
        assert np.array_equal(part.train.images[part.train.sublabels == digit], first)
    assert part.digest != whole.digest and part.described["per_class"] == 7


def test_order_is_by_class_then_subclass_then_row():
    train = load(DataSource("digits")).train
    rows = train.order()
    keys = list(zip(train.labels[rows], train.sublabels[rows], rows, strict=True))
    assert keys == sorted(keys) and sorted(rows) == list(range(len(train)))


@pytest.mark.parametrize("kind", ["npz", "h5"])
def test_array_files(tmp_path, kind):
    content = arrays(sublabels=np.arange(6), test_images=arrays(3)["images"], test_labels=np.zeros(3, int))
    if kind == "npz":
        np.savez(tmp_path / "d.npz", **content, label_names=np.array(["a", "b", "c"]))
    else:
        with h5py.File(tmp_path / "d.h5", "w") as file:
            for name, value in content.items():
                file[name] = value
            file["label_names"] = ["a", "b", "c"]
    data = load(DataSource(f"{kind}:{tmp_path / 'd'}.{kind}"))
    assert data.image_shape == (2, 2, 1) and data.label_names == ("a", "b", "c")
    assert np.array_equal(data.train.images[..., 0], content["images"]) and len(data.test) == 3
    assert data.mean[0] == pytest.approx(content["images"].mean() / 255, abs=1e-4)


def test_the_digest_sees_images_labels_and_sublabels(tmp_path):
    digests = set()
    for change in ({}, {"labels": np.arange(6) % 2}, {"images": arrays()["images"] + 1}, {"sublabels": np.arange(6)}):
        np.savez(tmp_path / "d.npz", **arrays(**change))
        digests.add(load(DataSource(f"npz:{tmp_path / 'd.npz'}")).digest)
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((6, 2, 2))}, "float64"),
        ({"images": np.zeros((6, 2), np.uint8)}, r"\(6, 2\)"),
        ({"labels": np.zeros(5, int)}, "6 images and 5 labels"),
        ({"labels": np.zeros(6)}, "expected .N,. integers"),
        ({"labels": np.arange(6) - 1}, "negative labels"),
        ({"sublabels": np.zeros(2, int)}, "2 sublabels and 6 labels"),
        ({"images": np.zeros((0, 2, 2), np.uint8), "labels": np.zeros(0, int)}, "is empty"),
    ],
)
def test_wrong_arrays_are_one_sentence(tmp_path, change, message):
    np.savez(tmp_path / "d.npz", **arrays(**change))
    with pytest.raises(DataError, match=message):
        load(DataSource(f"npz:{tmp_path / 'd.npz'}"))


def test_damaged_missing_and_pickled_files(tmp_path):
    np.savez(tmp_path / "d.npz", **arrays())
    whole = (tmp_path / "d.npz").read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:-10]):
        (tmp_path / "d.npz").write_bytes(content)
        with pytest.raises(DataError):
            load(DataSource(f"npz:{tmp_path / 'd.npz'}"))
        with pytest.raises(DataError):
            load(DataSource(f"h5:{tmp_path / 'd.npz'}"))
    with pytest.raises(DataError):
        load(DataSource(f"npz:{tmp_path / 'nothing.npz'}"))
    np.savez(tmp_path / "d.npz", images=np.array([print], dtype=object), labels=np.zeros(1, int))
    with pytest.raises(DataError, match="cannot read"):
        load(DataSource(f"npz:{tmp_path / 'd.npz'}"))


def test_a_hierarchy_makes_labels_subclasses(tmp_path):
    np.savez(tmp_path / "d.npz", **arrays(), label_names=np.array(["ant", "bee", "cow"]))
    (tmp_path / "map.csv").write_text("subclass,class\nant,insect\nbee,insect\ncow,animal\n")
    source = DataSource(f"npz:{tmp_path / 'd.npz'}", hierarchy=read_hierarchy(tmp_path / "map.csv"))
    data = load(source)
    assert data.label_names == ("animal", "insect") and data.sublabel_names == ("ant", "bee", "cow")
    assert data.train.labels.tolist() == [1, 1, 0, 1, 1, 0] and data.train.sublabels.tolist() == [0, 1, 2, 0, 1, 2]
    (tmp_path / "map.csv").write_text("subclass,class\n0,7\n1,7\n2,30\n")
    numbered = load(DataSource(source.spec, hierarchy=read_hierarchy(tmp_path / "map.csv")))
    assert numbered.train.labels.tolist() == [0, 0, 1, 0, 0, 1]


@pytest.mark.parametrize(
    "text",
    ["subclass,class\nant,insect\n", "a,b\n1,2\n", "", "subclass,class\nant,x\nant,y\n", "subclass,class\nant,\n"],
)
def test_a_wrong_hierarchy_is_refused(tmp_path, text):
    np.savez(tmp_path / "d.npz", **arrays(), label_names=np.array(["ant", "bee", "cow"]))
    (tmp_path / "map.csv").write_text(text)
    with pytest.raises(UsageError):
        load(DataSource(f"npz:{tmp_path / 'd.npz'}", hierarchy=read_hierarchy(tmp_path / "map.csv")))


def test_superclasses_of_cifar100_are_the_published_ones():
    assert len(CIFAR100_SUPERCLASSES) == 20
    assert len({name for members in CIFAR100_SUPERCLASSES.values() for name in members.split()}) == 100
    labels = SHARED / "data" / "cifar100" / "labels.npz"
    if not labels.exists():
        pytest.skip("CIFAR-100 is not at hand, so its superclass table is not compared")
    meta = np.load(labels)
    coarse, fine = meta["coarse_names"].tolist(), meta["fine_names"].tolist()
    assert list(CIFAR100_SUPERCLASSES) == coarse
    for name, superclass in zip(fine, meta["coarse_of_fine"], strict=True):
        assert name in CIFAR100_SUPERCLASSES[coarse[superclass]].split()
