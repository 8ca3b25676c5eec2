"""Files that are broken, foreign, or made to harm: each is refused in one sentence, and none of their code runs."""

import io
import json
import os
import pickle
import resource
import struct
import zipfile

import pytest
import torch
from safetensors.torch import save, save_file
from torch import nn

from icc_cli.checkpoints import read, suspect
from icc_cli.errors import CheckpointError
from tests.conftest import icc


class Runs:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def saved(content, **options):
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def repacked(content, change, compress=zipfile.ZIP_STORED):
    """The archive torch.save makes of `content`, its members (name, bytes) passed through `change`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(content))) as old, zipfile.ZipFile(stream, "w", compress) as new:
        for name, data in change([(name, old.read(name)) for name in old.namelist()]):
            new.writestr(name, data)
    return stream.getvalue()


def state():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Linear(2, 3)).state_dict()


def without(part):
    return lambda members: [(name, data) for name, data in members if part not in name]


def scripted():
    stream = io.BytesIO()
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), stream)
    return stream.getvalue()


def exported():
    stream = io.BytesIO()
    torch.export.save(torch.export.export(nn.Linear(2, 2), (torch.ones(1, 2),)), stream)
    return stream.getvalue()


def itself():
    content = {}
    content["state_dict"] = content
    return content


def deep():
    content = {}
    for _ in range(50):
        content = {"model": content}
    return content


def header(values, data=b""):
    text = json.dumps(values).encode()
    return struct.pack("<Q", len(text)) + text + data


def hostile(witness):
    """File name to bytes, and the words that the refusal has to hold."""
    touch = f"touch {witness}"
    huge = {"a": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 4]}}
    whole = saved({"state_dict": state()})
    return {
        "system.pt": (saved({"a": Runs(os.system, touch)}), "could run code"),
        "system-legacy.pt": (saved({"a": Runs(os.system, touch)}, _use_new_zipfile_serialization=False), "code"),
        "system-raw.pt": (pickle.dumps(Runs(os.system, touch)), "is not a PyTorch checkpoint"),
        "eval.pt": (saved({"state_dict": state(), "x": Runs(eval, f"__import__('os').system({touch!r})")}), "code"),
        "exec.pt": (saved({"x": Runs(exec, f"import os; os.system({touch!r})")}), "code"),
        "module.pt": (saved(nn.Linear(2, 2)), "code"),
        "partial.pt": (saved({"state_dict": state(), "f": __import__("functools").partial(print)}), "code"),
        "compressed.pt": (
            repacked({"state_dict": state()}, lambda m: [*m, ("archive/bomb", bytes(2**27))], zipfile.ZIP_DEFLATED),
            "compressed",
        ),
        "no-pickle.pt": (repacked(state(), without("data.pkl")), "damaged"),
        "no-storage.pt": (repacked(state(), without("data/0")), "damaged"),
        "other.zip.pt": (repacked({}, lambda m: [("readme.txt", b"hello")]), "damaged"),
        "script.pt": (scripted, "TorchScript"),
        "export.pt2.pt": (exported, "torch.export"),
        "empty.pt": (b"", "empty"),
        "text.pt": (b"not a checkpoint\n", "not a PyTorch"),
        "zeros.pt": (bytes(4096), "not a PyTorch"),
        "hdf5.pt": (b"\x89HDF\r\n\x1a\n" + bytes(512), "not a PyTorch"),
        "head.pt": (whole[:30], "damaged"),
        "half.pt": (whole[: len(whole) // 2], "damaged"),
        "tail.pt": (whole[len(whole) // 2 :], "damaged"),
        "flipped.pt": (whole[:200] + bytes(64) + whole[264:], "damaged"),
        "list.pt": (saved([1, 2, 3]), "no state dict"),
        "nothing.pt": (saved({}), "no state dict"),
        "numbers.pt": (saved({"state_dict": {"a": 1.0}}), "no state dict"),
        "itself.pt": (saved(itself()), "no state dict"),
        "deep.pt": (saved(deep()), "no state dict"),
        "expanded.pt": (saved({"w": torch.zeros(1).expand(2**38)}), "claim"),
        "sparse.pt": (saved({"w": torch.eye(3).to_sparse()}), "sparse"),
        "meta.pt": (saved({"w": torch.empty(3, device="meta")}), "meta"),
        "cut.safetensors": (save(state())[:-5], "safetensors"),
        "long-header.safetensors": (struct.pack("<Q", 2**62) + b"{}", "safetensors"),
        "no-json.safetensors": (struct.pack("<Q", 4) + b"oops", "safetensors"),
        "list.safetensors": (header([1]), "safetensors"),
        "huge-shape.safetensors": (header(huge, bytes(4)), "safetensors"),
        "outside.safetensors": (
            header({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, bytes(4)), "safetensors",
        ),
        "empty.safetensors": (b"", "safetensors"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder of every hostile file, what its refusal says, and the file that none of them may make."""
    folder = tmp_path_factory.mktemp("hostile")
    witness = tmp_path_factory.mktemp("witness") / "ran"
    made = hostile(witness)
    for name, (content, _) in made.items():
        (folder / name).write_bytes(content() if callable(content) else content)
    return folder, {name: words for name, (_, words) in made.items()}, witness


NAMES = sorted(hostile("nowhere"))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_in_one_sentence(name, files):
    folder, words, witness = files
    with pytest.raises(CheckpointError) as caught:
        read(folder / name)
    assert caught.value.exit_code == 3
    assert str(folder / name) in caught.value.message
    assert "\n" not in caught.value.message
    assert words[name] in str(caught.value)
    assert not witness.exists()


def test_a_folder_of_them_is_gone_through_without_a_traceback_in_little_memory(files, tmp_path):
    folder, words, witness = files
    done = icc("extract", folder, "-o", tmp_path / "acts", "--data", "digits", "--model", "vgg")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert all(str(folder / name) in done.stderr for name in words)
    assert not witness.exists()
    assert not list(tmp_path.glob("acts/*.h5"))
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 3 * 2**20, "KiB, most of it torch itself"


@pytest.mark.parametrize("name", ["system.pt", "compressed.pt", "half.pt", "script.pt", "cut.safetensors"])
def test_one_alone_exits_with_3(name, files):
    folder, _, witness = files
    done = icc("inspect", folder / name)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert not done.stdout
    assert not witness.exists()


def test_weights_that_do_not_fit_or_are_no_numbers(tmp_path):
    (tmp_path / "tiny.py").write_text(
        "from torch import nn\n"
        "def tiny(num_classes=3):\n"
        "    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(),"
        " nn.Linear(72, num_classes))\n"
    )
    good = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3)).state_dict()
    bad = {
        "missing": ({k: v for k, v in good.items() if k != "4.bias"}, "missing from the checkpoint: 4.bias"),
        "unknown": ({**good, "5.weight": torch.ones(3)}, "unknown to the model: 5.weight"),
        "shape": ({**good, "0.weight": torch.ones(2, 1, 5, 5)}, "0.weight: checkpoint (2, 1, 5, 5)"),
        "nan": ({**good, "0.weight": torch.full((2, 1, 3, 3), torch.nan)}, "NaN or infinity"),
        "inf": ({**good, "4.bias": torch.full((3,), torch.inf)}, "4.bias"),
    }
    for name, (content, words) in bad.items():
        save_file(content, tmp_path / f"{name}.safetensors")
        done = icc("extract", f"{name}.safetensors", "--model", "tiny.py:tiny", "--data", "digits", cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_an_archive_that_cannot_be_read_again_is_damaged(tmp_path):
    """As on a file server that fails between the looks at it."""
    (tmp_path / "net.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(CheckpointError, match=r"net\.pt is damaged"):
        suspect._damaged(tmp_path / "net.pt")
