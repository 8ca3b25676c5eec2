"""Files as strangers save them: harmless metadata, wrappers' names, and what is something else than its name says."""

import argparse
import collections
import datetime
import decimal
import gzip
import io
import json
import pathlib
import pickle
import random
import tarfile
import types
import uuid
import zipfile
import zoneinfo

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import nn
from torch.nn.utils import prune

from icc_cli.checkpoints import load_into, read
from icc_cli.checkpoints.fit import fit_of
from icc_cli.errors import CheckpointError


class Net(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.bn = nn.BatchNorm2d(2)
        self.fc = nn.Linear(8, num_classes)

    def forward(self, x):
        return self.fc(F.relu(self.bn(self.conv(x))).flatten(1))


torch.manual_seed(0)
NET = Net()
STATE = NET.state_dict()


def saved(content, **options):
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else saved(content))
    return path


@pytest.fixture(scope="module")
def sha(tmp_path_factory):
    return read(written(tmp_path_factory.mktemp("bare") / "bare.pt", STATE)).weights_sha256


METADATA = {
    "numpy scalars": {"acc": np.float64(97.5), "epoch": np.int64(7), "ok": np.bool_(True), "lr": np.float16(0.5)},
    "numpy arrays": {"a": np.ones(10), "b": np.arange(6, dtype=np.uint8).reshape(2, 3), "c": np.array(["x"])},
    "numpy fortran": {"a": np.asfortranarray(np.ones((2, 3), ">f4")), "d": np.array([None, {}], object)},
    "numpy dates": {"a": np.datetime64("2024-01-01"), "b": np.str_("x"), "t": np.dtype("f4"), "k": np.float32},
    "random states": {"np": np.random.get_state(), "py": random.getstate(), "torch": torch.get_rng_state()},
    "generators": {"g": np.random.default_rng(0), "r": np.random.RandomState(0), "s": np.random.SeedSequence(1)},
    "tables": {"d": collections.defaultdict(list, a=[1.0]), "c": collections.Counter("ab")},
    "queues": {"q": collections.deque([1, 2], 5), "e": collections.deque()},
    "builtins": {"f": frozenset([3]), "s": {1}, "r": range(3), "l": slice(1, 2), "z": 1j, "t": (int, str, dict)},
    "paths": {"p": pathlib.PurePosixPath("/a/b"), "w": pathlib.PureWindowsPath("C:/a"), "o": pathlib.Path("x")},
    "times": {"t": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), "i": datetime.timedelta(1)},
    "dates": {"d": datetime.date(2024, 1, 1), "t": datetime.time(1)},
    "zone": {"t": datetime.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC"))},
    "identifiers": {"id": uuid.UUID(int=1), "d": decimal.Decimal("1.5"), "v": torch.torch_version.TorchVersion("2.1")},
    "namespaces": {"args": types.SimpleNamespace(lr=0.1), "config": argparse.Namespace(out=pathlib.Path("/x"), w=3)},
    "torch": {"size": torch.Size([1, 2]), "device": torch.device("cpu"), "dtype": torch.float32},
}  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", METADATA)
def test_harmless_metadata_beside_the_weights(name, legacy, tmp_path, sha):
    content = saved({"model": STATE, **METADATA[name]}, _use_new_zipfile_serialization=not legacy)
    checkpoint = read(written(tmp_path / "net.pt", content))
    assert checkpoint.weights_sha256 == sha
    if name == "numpy scalars":
        assert checkpoint.metrics == {"accuracy": 0.975} and checkpoint.epoch == 7
    if name == "namespaces":
        assert checkpoint.hparams == {"lr": 0.1, "w": 3}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"cpathlib\nPosixPath\n", b"cpathlib._local\nPosixPath\n"),
        (b"cpathlib\nPosixPath\n", b"cpathlib\nWindowsPath\n"),
        (b"numpy._core.multiarray", b"numpy.core.multiarray"),
    ],
)
def test_other_pythons_platforms_and_numpys(old, new, tmp_path, sha):
    content = saved({"model": STATE, "p": pathlib.PosixPath("/a"), "acc": np.float32(50)})
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(stream, "w") as after:
        for item in before.infolist():
            data = before.read(item)
            assert not item.filename.endswith("data.pkl") or old in data
            after.writestr(item, data.replace(old, new))
    checkpoint = read(written(tmp_path / "net.pt", stream.getvalue()))
    assert checkpoint.weights_sha256 == sha and checkpoint.metrics == {"accuracy": 0.5}


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_stand_ins_call_nothing(tmp_path):
    """What is named in a call is not what is called: a getattr chain ends at a stand-in, an import is refused."""
    marker = tmp_path / "ran"
    for number, harm in enumerate(
        [
            Calls(getattr, pathlib.Path(marker), "touch"),
            Calls(getattr, "x", "__class__"),
            Calls(eval, f"open({str(marker)!r}, 'w')"),
            Calls(np.load, str(marker)),
            Calls(__import__, "os"),
        ]
    ):
        path = written(tmp_path / f"{number}.pt", {"model": STATE, "x": harm})
        if number < 2:
            assert read(path).state.keys() == STATE.keys()
        else:
            with pytest.raises(CheckpointError, match="could run code when read"):
                read(path)
    assert not marker.exists()


def prefixed(prefix, state=STATE):
    return {prefix + key: value for key, value in state.items()}


def masked():
    net = Net()
    net.load_state_dict(STATE)
    prune.l1_unstructured(net.fc, "weight", 0.5)
    return net


NAMES = {
    "net.": {"state_dict": prefixed("net."), "epoch": 3},
    "any.deep.": {"state_dict": prefixed("backbone.encoder.")},
    "_module.": {"state_dict": prefixed("_module.")},
    "inner": {key.replace("conv.", "conv._orig_mod."): value for key, value in STATE.items()},
    "inner of all": {f"module.{key}".replace("bn.", "bn._fsdp_wrapped_module."): v for key, v in STATE.items()},
    "criterion": {"state_dict": {**prefixed("model."), "criterion.weight": torch.ones(3)}},
    "metric": {"state_dict": {**prefixed("net._orig_mod."), "train_acc.confmat": torch.zeros(3, 3)}},
    "averaged": {**prefixed("module."), "n_averaged": torch.tensor(3)},
    "numbers": {**STATE, "epoch": 12, "arch": "net", "scale": None},
    "numpy": {key: value.numpy() for key, value in STATE.items()},
    "no counters": {key: value for key, value in STATE.items() if "num_batches" not in key},
    "several shapes": {**prefixed("net."), **prefixed("teacher.", Net(5).state_dict())},
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_that_wrappers_give_are_removed_where_the_rest_fits(name, tmp_path):
    checkpoint = read(written(tmp_path / "net.pt", NAMES[name]))
    net = Net()
    assert fit_of(net, checkpoint).exact
    load_into(net, checkpoint, "Net")
    assert all(torch.equal(value, STATE[key]) for key, value in net.state_dict().items() if "num_batches" not in key)


def test_the_models_own_wrapper_and_pruned_weights(tmp_path):
    whole = nn.ModuleDict({"inner": nn.ModuleDict({"net": Net()})})
    load_into(whole, read(written(tmp_path / "net.pt", STATE)), "Net")
    assert torch.equal(whole["inner"]["net"].fc.weight, STATE["fc.weight"])
    net, pruned = Net(), masked()
    load_into(net, read(written(tmp_path / "net.pt", pruned.state_dict())), "Net")
    assert torch.equal(net.fc.weight, pruned.fc.weight) and (net.fc.weight == 0).sum() == 12


@pytest.mark.parametrize("outer", [True, False])
def test_two_networks_that_fit_are_named(outer, tmp_path):
    both = {**prefixed("student."), **prefixed("ema_model.module.", {k: v + 1 for k, v in STATE.items()})}
    path = written(tmp_path / "net.pt", {"state_dict": both} if outer else both)
    with pytest.raises(CheckpointError, match="several networks whose names fit") as caught:
        load_into(Net(), read(path), "Net")
    assert set(caught.value.details) >= {"student"} and "--state-key" in str(caught.value)
    net = Net()
    load_into(net, read(path, "student"), "Net")
    assert torch.equal(net.fc.weight, STATE["fc.weight"])
    load_into(net, read(path, "ema_model.module"), "Net")
    assert torch.equal(net.fc.weight, STATE["fc.weight"] + 1)


@pytest.mark.parametrize(
    "state",
    [
        {**STATE, "mean": torch.zeros(3)},
        {key: value for key, value in STATE.items() if key != "fc.bias"},
        {**prefixed("net."), "net.extra": torch.ones(1)},
        {key.replace("fc", "head"): value for key, value in STATE.items()},
    ],
)
def test_what_does_not_fit_exactly_is_refused(state, tmp_path):
    with pytest.raises(CheckpointError, match="does not fit the model Net"):
        load_into(Net(), read(written(tmp_path / "net.pt", state)), "Net")


def test_lazy_modules_take_the_shapes_of_the_weights(tmp_path):
    class Lazy(Net):
        def __init__(self):
            super().__init__()
            self.fc = nn.LazyLinear(3)
            self.bn = nn.LazyBatchNorm2d()

    net, images = Lazy().eval(), torch.randn(2, 1, 4, 4)
    load_into(net, read(written(tmp_path / "net.pt", STATE)), "Lazy")
    assert torch.equal(net(images), NET.eval()(images))


def test_conjugated_tensors_are_hashed_as_their_numbers(tmp_path):
    values = torch.tensor([1 + 2j, 3 - 1j])
    lazy = read(written(tmp_path / "a.pt", {**STATE, "c": values.conj()}))
    plain = read(written(tmp_path / "b.pt", {**STATE, "c": values.conj().resolve_conj()}))
    assert lazy.weights_sha256 == plain.weights_sha256


def archive(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/"), content)
    return stream.getvalue()


def hdf5(**attributes):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs.update(attributes)
    return stream.getvalue()


def tarred(content):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        information = tarfile.TarInfo("base.pt")
        information.size = len(content)
        file.addfile(information, io.BytesIO(content))
    return stream.getvalue()


def flipped(content):
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        start = file.getinfo("archive/data/0").header_offset
    name, extra = (int.from_bytes(content[start + at : start + at + 2], "little") for at in (26, 28))
    at = start + 30 + name + extra
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


TORCH = saved(STATE)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 44730137\n"
ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\xf8\x02"
IDENTITY = {
    "lfs.pt": (LFS, "Git LFS pointer"),
    "lfs.safetensors": (LFS, "git lfs pull"),
    "annex.pt": (b"/annex/objects/SHA256E-s44730137--0.pt\n", "git-annex"),
    "drive.pt": (b"<!DOCTYPE html><html><head><title>Google Drive</title>", "web page"),
    "spaced.pt": (b"\n  <HTML>", "web page"),
    "denied.pth": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"),
    "limited.pt": (json.dumps({"error": "rate limited"}).encode(), "is JSON"),
    "keras.pt": (hdf5(keras_version="3.0"), "Keras"),
    "keras-zip.pt": (archive(**{"config.json": "{}", "model.weights.h5": "x"}), "Keras"),
    "cache.pt": (hdf5(format="icc-activations"), "cache of icc extract"),
    "h5.pt": (hdf5(), "is an HDF5 file"),
    "net.onnx": (ONNX, "ONNX"),
    "onnx.pt": (ONNX, "ONNX"),
    "arrays.pt": (archive(**{"a.npy": "x", "b.npy": "y"}), r"NumPy arrays \(.npz\)"),
    "one.pt": (b"\x93NUMPY\x01\x00", "NumPy array"),
    "sb3.pt": (archive(**{"data": "{}", "policy.pth": TORCH, "_stable_baselines3_version": "2"}), "Stable-Baselines3"),
    "stored.pt": (archive(model__base=b"", **{"model/base.pt": TORCH}), "zip archive of other files.*model/base.pt"),
    "tarred.pth.tar": (tarred(TORCH), "tar archive.*base.pt"),
    "gz.pt": (gzip.compress(TORCH), "gzip"),
    "zeros.pt": (bytes(5000), "nothing but zeros"),
    "half.pt": (TORCH[: len(TORCH) // 2], "its end is missing"),
    "tail.pt": (TORCH[: len(TORCH) // 2] + bytes(len(TORCH) // 2), "its end is missing"),
    "flipped.pt": (flipped(TORCH), "checksum of its part archive/data/0 does not fit"),
    "pickle.pkl": (pickle.dumps(STATE["fc.bias"].tolist()), "plain pickle"),
    "dynamic.pt": ({"0.scale": torch.ones(1), "0._packed_params._packed_params": (torch.ones(1),)}, "quantised"),
    "gguf.bin": (b"GGUF\x03", "GGUF"),
    "odd.pt": ({"weights_dict": STATE, "epoch": 3}, "--state-key: *\n *weights_dict"),
}  # fmt: skip


@pytest.mark.parametrize("name", IDENTITY)
def test_the_cause_is_true(name, tmp_path):
    content, words = IDENTITY[name]
    with pytest.raises(CheckpointError, match=words):
        read(written(tmp_path / name, content))


@pytest.mark.parametrize("name", ["net.bin", "net.pt", "net.ckpt", "net.safetensors", "net"])
@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_the_content_says_what_a_file_is_not_its_name(name, kind, tmp_path, sha):
    content = save({key: value.contiguous() for key, value in STATE.items()}) if kind == "safetensors" else TORCH
    assert read(written(tmp_path / name, content)).weights_sha256 == sha


def test_checksums_that_were_not_written_do_not_count(tmp_path, sha):
    torch.serialization.set_crc32_options(False)
    try:
        content = saved(STATE)
    finally:
        torch.serialization.set_crc32_options(True)
    assert read(written(tmp_path / "net.pt", content)).weights_sha256 == sha


@pytest.mark.parametrize("place", ["package_that_is_gone", "__main__", "json"])
def test_whole_modules_are_read_where_the_user_trusts_the_file(place, tmp_path, monkeypatch, sha):
    import sys

    made = type("Net", (Net,), {"__module__": place, "__qualname__": "Net"})
    module = types.ModuleType(place)
    module.Net = made
    monkeypatch.setitem(sys.modules, place, module)
    net = made()
    net.load_state_dict(STATE)
    net.register_buffer("passing", torch.ones(3), persistent=False)
    beside = {"state_dict": STATE, "module": net}
    contents = {"bare.pt": net, "inside.pt": {"model": net, "epoch": 3, "ema": None}, "beside.pt": beside}
    for name, content in contents.items():
        written(tmp_path / name, content)
    monkeypatch.undo()
    for name in contents:
        with pytest.raises(CheckpointError, match="could run code when read"):
            read(tmp_path / name)
        assert read(tmp_path / name, unsafe_pickle=True).weights_sha256 == sha


def test_classes_that_are_missing_are_passed_over(tmp_path, monkeypatch, sha):
    import sys

    module = types.ModuleType("gone_config")
    source = """
import enum, dataclasses
class Mode(enum.Enum): A = 1
@dataclasses.dataclass
class Config: lr: float = .1
class L(list): pass
class D(dict): pass
"""
    exec(source, module.__dict__)
    for name in ("Mode", "Config", "L", "D"):
        getattr(module, name).__module__ = "gone_config"
    monkeypatch.setitem(sys.modules, "gone_config", module)
    extras = {"m": module.Mode.A, "c": module.Config(), "l": module.L([1, 2]), "d": module.D(a=1)}
    path = written(tmp_path / "net.pt", {"state_dict": STATE, "epoch": 4, **extras})
    monkeypatch.undo()
    checkpoint = read(path, unsafe_pickle=True)
    assert checkpoint.weights_sha256 == sha and checkpoint.epoch == 4


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle_protocols(protocol, tmp_path, sha):
    path = tmp_path / "net.pt"
    torch.save({"state_dict": STATE, "epoch": 3}, path, pickle_protocol=protocol)
    if protocol < 4:
        assert read(path).weights_sha256 == sha
        return
    with pytest.raises(CheckpointError, match=f"is pickled with protocol {protocol}, which .*--unsafe-pickle"):
        read(path)
    assert read(path, unsafe_pickle=True).weights_sha256 == sha
