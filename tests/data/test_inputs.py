"""Inputs of any shape and type, from arrays, from a user's function and from torch Datasets."""

import h5py
import numpy as np
import pytest
import torch

from icc_cli.data import DataSource, load
from icc_cli.data.dataset import Dataset, Split
from icc_cli.data.inputs import InputArrays
from icc_cli.errors import DataError, UsageError

RNG = np.random.default_rng(0)
LABELS = np.array([0, 1, 2] * 4)
SUBLABELS = np.array([0, 1] * 6)


def arrays(path, **given):
    np.savez(path / "data.npz", **given)
    return load(DataSource(f"npz:{path}/data.npz"))


def code(path, source, name="data", **options):
    (path / "mine.py").write_text("import numpy as np\nimport torch\n" + source)
    return load(DataSource(f"{path}/mine.py:{name}", **options))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (RNG.normal(size=(12, 5)), np.float32),
        (RNG.normal(size=(12,)).astype(np.float16), np.float32),
        (RNG.normal(size=(12, 2, 3, 4, 5)).astype(np.float32), np.float32),
        (RNG.integers(0, 9, (12, 7)).astype(np.int32), np.int64),
        (RNG.integers(0, 9, (12, 7)) > 4, np.float32),
    ],
)
def test_inputs_are_taken_as_they_are(values, kind, tmp_path):
    data = arrays(tmp_path, inputs=values, labels=LABELS, test_inputs=values[:6], test_labels=LABELS[:6])
    assert data.mean is None and data.std is None and data.train.inputs is not None
    assert data.train.inputs.shapes == {"0": values.shape[1:]}
    rows = np.array([7, 0, 3])
    (found,), named = data.train.inputs.arguments(rows)
    assert found.dtype == kind and not named and np.array_equal(found, values[rows].astype(kind))
    assert len(data.test) == 6
    with pytest.raises(DataError, match="needs images"):
        assert data.train.images
    with pytest.raises(DataError, match="needs images"):
        assert data.image_shape


def test_several_inputs_by_position_and_by_name(tmp_path):
    x, mask = RNG.normal(size=(12, 3)).astype(np.float32), RNG.integers(0, 2, (12, 4))
    by_name = {"inputs/input_ids": mask, "inputs/attention_mask": mask + 1, "labels": LABELS}
    data = arrays(tmp_path, **by_name)
    positions, named = data.train.inputs.arguments(np.arange(2))
    assert positions == () and list(named) == ["input_ids", "attention_mask"]
    assert np.array_equal(named["attention_mask"], mask[:2] + 1)
    with h5py.File(tmp_path / "data.h5", "w") as file:
        for name, values in {"inputs/1": x, "inputs/0": mask, "labels": LABELS}.items():
            file[name] = values
    data = load(DataSource(f"h5:{tmp_path}/data.h5"))
    positions, named = data.train.inputs.arguments(np.arange(2))
    assert [array.shape for array in positions] == [(2, 4), (2, 3)] and not named


def test_the_digest_follows_values_shape_type_and_labels():
    def digest(x, labels=LABELS):
        return Dataset("x", Split(InputArrays({"0": x}), labels), None).digest

    x = RNG.normal(size=(12, 4)).astype(np.float32)
    changed = x.copy()
    changed[11, 3] += 1
    others = [
        digest(changed),
        digest(x.reshape(12, 2, 2)),
        digest(x.view(np.int32).astype(np.int64)),
        digest(x, LABELS[::-1]),
    ]
    assert digest(x.copy()) == digest(x) and len({digest(x), *others}) == 5


def test_two_labels_a_sample(tmp_path):
    data = arrays(tmp_path, inputs=RNG.normal(size=(12, 5)), labels=np.stack([LABELS, SUBLABELS], axis=1))
    assert np.array_equal(data.train.labels, LABELS) and np.array_equal(data.train.sublabels, SUBLABELS)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"inputs": np.zeros((12, 3), np.uint8), "labels": LABELS}, "uint8, which may be pixels"),
        ({"inputs": np.zeros((12, 3), complex), "labels": LABELS}, "complex128, expected"),
        (
            {"inputs": np.zeros((12, 3)), "images": np.zeros((12, 3, 3), np.uint8), "labels": LABELS},
            "images and inputs",
        ),
        ({"inputs": np.array([[0.0, 1], [2, np.nan]] * 6), "labels": LABELS}, "NaN or infinity, first in row 1"),
        ({"inputs": np.zeros((12, 3))}, "no labels"),
        ({"inputs": np.zeros((11, 3)), "labels": LABELS}, "11 samples and 12 labels"),
        (
            {"inputs/a": np.zeros((12, 3)), "inputs/b": np.zeros((11, 3)), "labels": LABELS},
            "different numbers of samples",
        ),
        ({"labels": LABELS}, "no images and no inputs"),
        ({"inputs": np.zeros((12, 3)), "labels": LABELS.astype(float)}, "expected .N,. integers"),
        ({"inputs": np.zeros((12, 3)), "labels": np.zeros((12, 3), int)}, "expected .N,. integers"),
    ],
)
def test_wrong_arrays_are_said(given, words, tmp_path):
    with pytest.raises(DataError, match=words):
        arrays(tmp_path, **given)


X = "x = np.arange(36, dtype=np.float32).reshape(12, 3)\ny = np.arange(12) % 3\nz = np.arange(12) % 2\n"
DATASETS = (
    X
    + """
class Data(torch.utils.data.Dataset):
    def __init__(self, form, length=12): self.form, self.length = form, length
    def __len__(self): return self.length
    def __getitem__(self, row): return self.form(row)
"""
)
TENSORS = "torch.utils.data.TensorDataset(*map(torch.tensor, (x, y, z)))"
NAMED = "dict(inputs=torch.tensor(x), labels=y, sublabels=list(z), label_names=['a', 'b', 'c'])"
FORMS = {
    "dictionary": (f"{X}def data(): return {NAMED}", True),
    "tuple": (f"{X}def data(): return torch.tensor(x), torch.tensor(y), torch.tensor(z)", True),
    "no sublabels": (f"{X}def data(): return x, y", False),
    "an object": (f"{X}data = dict(inputs=x, labels=y, sublabels=z)", True),
    "train and test": (f"{X}def data(): return (x, y, z), (x[:3], y[:3], z[:3])", True),
    "tensor dataset": (f"{X}def data(): return {TENSORS}", True),
    "loader": (f"{X}def data(): return torch.utils.data.DataLoader({TENSORS}, shuffle=True)", True),
    "class": (DATASETS + "def data(): return Data(lambda i: (torch.tensor(x[i]), int(y[i]), z[i]))", True),
    "class itself": (
        DATASETS + "class data(Data):\n    def __init__(self): super().__init__(lambda i: (x[i], y[i], z[i]))",
        True,
    ),
    "dataset object": (DATASETS + "data = Data(lambda i: (x[i], y[i], z[i]))", True),
    "hugging face": (DATASETS + "data = Data(lambda i: {'0': x[i], 'label': y[i], 'sublabel': z[i]})", True),
    "two datasets": (f"{X}def data():\n    d = {TENSORS}\n    return d, torch.utils.data.Subset(d, [0, 1, 2])", True),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_a_function_may_return(form, tmp_path):
    source, sublabels = FORMS[form]
    data = code(tmp_path, source)
    (found,), _ = data.train.inputs.arguments(np.arange(12))
    assert np.array_equal(found, np.arange(36).reshape(12, 3)) and found.dtype == np.float32
    assert np.array_equal(data.train.labels, np.arange(12) % 3)
    assert np.array_equal(data.train.sublabels, np.arange(12) % 2) if sublabels else data.train.sublabels is None
    assert (data.test is not None) == (form in ("train and test", "two datasets"))
    if data.test is not None:
        assert data.test.labels.tolist() == [0, 1, 2]
    assert data.described["spec"] == data.spec == f"{tmp_path}/mine.py:data"


def test_a_function_may_return_images(tmp_path):
    images = "images = np.arange(12 * 4 * 5 * 3, dtype=np.uint8).reshape(12, 4, 5, 3)\ny = np.arange(12) % 3\n"
    expected = (np.arange(12 * 60) % 256).reshape(12, 4, 5, 3)
    for form in ("images, y", "dict(images=images, labels=y)", "list(map(tuple, zip(images, y)))"):
        source = (
            f"def data(): return {form}"
            if "zip" not in form
            else (
                "from PIL import Image\nclass D:\n    def __len__(self): return 12\n"
                "    def __getitem__(self, i): return Image.fromarray(images[i]), int(y[i])\ndata = D()"
            )
        )
        data = code(tmp_path, images + source)
        assert np.array_equal(data.train.images[:], expected) and data.mean is not None
        (tmp_path / "mine.py").unlink()


def test_a_dataset_too_large_for_memory_is_read_when_needed(tmp_path, monkeypatch):
    small = code(tmp_path, DATASETS + "data = Data(lambda i: (x[i], y[i], z[i]))")
    monkeypatch.setattr("icc_cli.data.torch_sets.free_memory", lambda: 0)
    large = load(DataSource(f"{tmp_path}/mine.py:data", per_class=1, test_per_class=1))
    assert type(large.train.inputs).__name__ == "DatasetInputs" and len(large.train) == 6
    kept = small.first_per_class(1).train
    for rows in (np.array([0, 3]), np.array([5, 1])):
        (found,), _ = large.train.inputs.arguments(rows)
        assert np.array_equal(found, kept.inputs.arguments(rows)[0][0])
    other = code(tmp_path, DATASETS + "data = Data(lambda i: (x[i] + (i == 11), y[i], z[i]))")
    assert other.digest != code(tmp_path, DATASETS + "data = Data(lambda i: (x[i], y[i], z[i]))").digest


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (DATASETS + "data = Data(lambda i: (torch.rand(3), 1))", "a different sample each time"),
        (
            DATASETS + "data = Data(lambda i: (x[i][:1 + i % 2], 1))",
            r"sample 1 of .* is \(2,\), and the first is \(1,\)",
        ),
        (DATASETS + "data = Data(lambda i: x[i])", "without a label"),
        (DATASETS + "data = Data(lambda i: (x[i], 'cat'))", "not a whole number"),
        (DATASETS + "data = Data(lambda i: (x[i], 1), 0)", "is empty"),
        (DATASETS + "data = Data(lambda i: (x[i], 1) if i else (x[i], 1, 2))", "some have none"),
        (
            DATASETS + "data = Data(lambda i: (x[i] + (np.nan if i == 7 else 0), 1))",
            "a sample in .*:data holds NaN or infinity",
        ),
        (DATASETS + "data = Data(lambda i: (x[i] + [0][i > 7:], 1))", "sample 8 of .*mine.py:data fails: "),
        (DATASETS + "data = Data(lambda i: (x[i], 1)), Data(lambda i: (x[i], 1)), 3", "fails: "),
        ("def data(): return 3", "gives a int, which is not a data set"),
        ("def data(): return {'inputs': np.zeros((3, 1)), 'lables': np.zeros(3, int)}", "'lables', which is not"),
        ("def data(): return 1 / 0", "fails: division by zero"),
        ("def data(n): return n", "missing 1 required positional argument"),
        ("def other(): pass", "has no 'data'"),
    ],
)
def test_what_is_wrong_with_a_function_is_said(source, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        code(tmp_path, source)


def test_first_of_each_class_of_the_test_split(tmp_path):
    x = RNG.normal(size=(12, 2)).astype(np.float32)
    np.savez(tmp_path / "d.npz", inputs=x, labels=LABELS, test_inputs=x, test_labels=LABELS)
    data = load(DataSource(f"npz:{tmp_path}/d.npz", per_class=2, test_per_class=1))
    assert (len(data.train), len(data.test)) == (6, 3)
    assert np.array_equal(data.test.inputs.arguments(np.arange(3))[0][0], x[:3])
    assert data.described["per_class"] == 2 and data.described["test_per_class"] == 1


def test_torch_is_not_needed_for_arrays(tmp_path):
    assert isinstance(torch.zeros(1), torch.Tensor)
    data = arrays(tmp_path, inputs=RNG.normal(size=(12, 5)), labels=LABELS)
    assert data.num_classes == 3
