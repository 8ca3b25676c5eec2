"""Reading checkpoints: what is accepted, what is refused, and that a hash belongs to the weights alone."""

import argparse
import datetime
import hashlib
import os
import pathlib
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from icc_cli.checkpoints import Checkpoint, load_into, read, weights_sha256
from icc_cli.errors import CheckpointError


@pytest.fixture
def state():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 3)).state_dict()


def prefixed(state, prefix):
    return OrderedDict((prefix + key, value) for key, value in state.items())


FORMS = {
    "bare": lambda s: s,
    "state_dict": lambda s: {"state_dict": s, "epoch": 3},
    "model": lambda s: {"model": s, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}},
    "model_state_dict": lambda s: {"model_state_dict": s, "loss": torch.tensor(0.5)},
    "net": lambda s: {"net": s, "acc": 93.1},
    "ema": lambda s: {"ema": s, "step": 7},
    "data_parallel": lambda s: {"state_dict": prefixed(s, "module.")},
    "compiled": lambda s: prefixed(s, "_orig_mod."),
    "compiled_parallel": lambda s: {"model": prefixed(s, "module._orig_mod.")},
    "lightning": lambda s: {"state_dict": prefixed(s, "model."), "hyper_parameters": {"lr": 0.1}},
    "lightning_compiled": lambda s: {"state_dict": prefixed(s, "model._orig_mod.")},
    "nested": lambda s: {"state_dict": {"model": prefixed(s, "module.")}},
    "namespace": lambda s: {"model": s, "args": argparse.Namespace(lr=0.1)},
    "network": lambda s: {"network": s, "iteration": 10},
    "deepspeed": lambda s: {"module": s, "global_steps": 3},
    "averaged": lambda s: {"n_averaged": torch.tensor(5), **prefixed(s, "module.")},
    "averaged_wrapped": lambda s: {"state_dict": {"n_averaged": torch.tensor(5), **prefixed(s, "module.")}},
    "timm_ema_only": lambda s: {"state_dict_ema": s, "arch": "resnet18", "version": 2},
    "lightning_parallel": lambda s: {"state_dict": prefixed(s, "model.module."), "epoch": 4, "global_step": 90},
    "compiled_twice": lambda s: {"state_dict": prefixed(s, "module._orig_mod.module.")},
    "whole_training": lambda s: {
        "epoch": 3, "arch": "resnet20", "best_acc1": torch.tensor(91.2), "model": prefixed(s, "module."),
        "optimizer": trained_optimizer(), "scheduler": {"_last_lr": [0.1]}, "rng": torch.get_rng_state(),
        "args": argparse.Namespace(lr=0.1, when=datetime.date(2020, 1, 1), where=pathlib.PosixPath("data")),
    },
    "numpy_numbers": lambda s: {"state_dict": s, "losses": [0.5, 0.4], "accuracy": 0.9},
    "ordered": lambda s: {"state_dict": OrderedDict(reversed(list(s.items())))},
    "parameters": lambda s: {"state_dict": {k: nn.Parameter(v, False) for k, v in s.items()}},
    "strided": lambda s: {"state_dict": {k: v.t().contiguous().t() if v.dim() == 2 else v for k, v in s.items()}},
    "extra_state": lambda s: {"state_dict": {**s, "2._extra_state": {"scale": 1.0}}},
}  # fmt: skip


def trained_optimizer():
    model = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_same_weights(form, state, tmp_path):
    path = tmp_path / "net.pt"
    torch.save(FORMS[form](state), path)
    checkpoint = read(path)
    assert sorted(checkpoint.state) == sorted(state)
    assert checkpoint.weights_sha256 == weights_sha256(state)


def test_safetensors_and_legacy_files_have_the_same_hash(state, tmp_path):
    save_file(state, tmp_path / "net.safetensors", metadata={"format": "pt"})
    torch.save(state, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    assert read(tmp_path / "net.safetensors").weights_sha256 == weights_sha256(state)
    assert read(tmp_path / "legacy.pt").weights_sha256 == weights_sha256(state)


def test_the_hash_is_the_specified_one():
    values = np.array([[1.5, -2.0]], dtype=np.float32)
    expected = hashlib.sha256()
    for name, array in (("a", np.array(3)), ("b", values)):
        kind = {"i": "torch.int64", "f": "torch.float32"}[array.dtype.kind]
        expected.update(f"{name}\0{kind}\0{array.shape}\0".encode() + array.tobytes())
    assert weights_sha256({"b": torch.from_numpy(values), "a": torch.tensor(3)}) == expected.hexdigest()


def test_the_hash_sees_names_values_shapes_and_types(state):
    hashes = {weights_sha256(state)}
    hashes.add(weights_sha256({**state, "2.bias": state["2.bias"] + 1e-6}))
    hashes.add(weights_sha256({**state, "2.bias": state["2.bias"].reshape(1, -1)}))
    hashes.add(weights_sha256({**state, "2.bias": state["2.bias"].double()}))
    hashes.add(weights_sha256({("x" if key == "2.bias" else key): value for key, value in state.items()}))
    assert len(hashes) == 5


def test_bfloat16_and_strided_tensors_are_hashed():
    tensor = torch.arange(6, dtype=torch.bfloat16).reshape(2, 3)
    assert weights_sha256({"w": tensor.t()}) == weights_sha256({"w": tensor.t().contiguous()})


def test_several_candidates_are_listed_and_chosen_among(state, tmp_path):
    path = tmp_path / "net.pt"
    averaged = {key: value + 1 for key, value in state.items()}
    torch.save({"model": state, "ema": averaged}, path)
    with pytest.raises(CheckpointError, match=r"several candidates") as caught:
        read(path)
    assert caught.value.details == ("model", "ema")
    assert read(path, state_key="ema").weights_sha256 == weights_sha256(averaged)
    with pytest.raises(CheckpointError, match="no entry 'nothing'"):
        read(path, state_key="nothing")


class Runs:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_that_would_run_code_is_refused_and_names_its_global(legacy, tmp_path):
    path, witness = tmp_path / "net.pt", tmp_path / "ran"
    torch.save({"state_dict": Runs(f"touch {witness}")}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match="could run code") as caught:
        read(path)
    assert caught.value.exit_code == 3
    assert any("system" in detail for detail in caught.value.details)
    assert not witness.exists()


def test_a_raw_pickle_is_refused(tmp_path):
    path, witness = tmp_path / "net.pt", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Runs(f"touch {witness}")))
    with pytest.raises(CheckpointError):
        read(path)
    assert not witness.exists()


def test_unsafe_pickle_is_the_way_out(state, tmp_path):
    path = tmp_path / "net.pt"
    torch.save({"state_dict": state, "when": np.float64(3)}, path)
    torch.save({"state_dict": state, "module": nn.Linear(1, 1)}, path)
    with pytest.raises(CheckpointError, match="--unsafe-pickle"):
        read(path)
    assert read(path, unsafe_pickle=True).weights_sha256 == weights_sha256(state)


def test_empty_and_foreign_files_are_one_sentence(tmp_path):
    path = tmp_path / "net.pt"
    for content in (b"", b"hello, this is text", b"\x80\x02", b"PK\x03\x04 no zip", bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(CheckpointError) as caught:
            read(path)
        assert str(path) in caught.value.message
        assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", ["net.pt", "net.safetensors", "legacy.pt"])
def test_a_file_cut_anywhere_is_refused(name, state, tmp_path):
    path = tmp_path / name
    if name == "net.safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state}, path, _use_new_zipfile_serialization=name != "legacy.pt")
    whole = path.read_bytes()
    for size in np.linspace(1, len(whole) - 1, 25).astype(int):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError):
            read(path)


def test_no_state_dict_lists_what_there_is(tmp_path):
    path = tmp_path / "net.pt"
    torch.save({"weights": [1, 2], "epoch": 3}, path)
    with pytest.raises(CheckpointError, match="no state dict") as caught:
        read(path)
    assert caught.value.details == ("weights: list", "epoch: int")


def test_hyperparameters_and_epoch_are_picked_up_as_plain_data(state, tmp_path):
    path = tmp_path / "net.pt"
    content = {
        "state_dict": state,
        "hyper_parameters": {"lr": 0.1, "name": "a", "layers": [1, 2]},
        "args": argparse.Namespace(batch_size=32, lr=0.5, amp=False, mean=[0.4, 0.5, 0.6], std=(0.2, 0.2, 0.3)),
        "metrics": {"train_accuracy": 1, "other": 2},
        "epoch": 7,
    }
    torch.save(content, path)
    found = read(path)
    assert found.hparams == {"lr": 0.1, "name": "a", "batch_size": 32, "amp": False}
    assert found.data == {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.2, 0.3]}
    assert found.metrics == {"train_accuracy": 1.0}
    assert found.epoch == 7


def test_state_key_may_end_in_a_prefix_of_the_keys(state, tmp_path):
    path = tmp_path / "net.ckpt"
    student, teacher = prefixed(state, "student."), prefixed({k: v + 1 for k, v in state.items()}, "teacher.net.")
    torch.save({"state_dict": {**student, **teacher}}, path)
    assert read(path, "state_dict.student").weights_sha256 == weights_sha256(state)
    assert read(path, "state_dict.teacher.net").weights_sha256 != weights_sha256(state)
    with pytest.raises(CheckpointError, match="no entry"):
        read(path, "state_dict.tea")


def test_every_form_has_the_same_cache_as_the_bare_state_dict(tmp_path):
    """Through the command: the content key of `icc extract` is over the weights, not over how they were wrapped."""
    from typer.testing import CliRunner

    from icc_cli.cache import stored_content_key
    from icc_cli.cli import app

    torch.manual_seed(0)
    (tmp_path / "tiny.py").write_text(
        "from torch import nn\n"
        "def tiny():\n"
        "    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))\n"
    )
    weights = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3)
    ).state_dict()
    keys = {}
    for form in FORMS:
        folder = tmp_path / form
        folder.mkdir()
        torch.save(FORMS[form](weights), folder / "net.pt")
        options = ["--model", f"{tmp_path}/tiny.py:tiny", "--data", "digits", "--per-class", "2", "-q"]
        result = CliRunner().invoke(app, ["extract", str(folder / "net.pt"), *options, "-o", str(folder)])
        assert result.exit_code == 0, (form, result.output)
        keys[form] = stored_content_key(folder / "net.h5")
    assert len(keys) >= 20
    assert set(keys.values()) == {keys["bare"]} and keys["bare"]


def test_a_whole_module_is_read_when_that_is_allowed(tmp_path):
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    torch.save(module, tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match="could run code"):
        read(tmp_path / "net.pt")
    assert read(tmp_path / "net.pt", unsafe_pickle=True).weights_sha256 == weights_sha256(module.state_dict())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2, torch.float64])
@pytest.mark.parametrize("wrong", [None, float("nan"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused_in_every_precision(dtype, wrong):
    weight = torch.ones(2, 3)
    if wrong is not None:
        weight[1, 2] = wrong
    checkpoint = Checkpoint(pathlib.Path("a.pt"), {"weight": weight.to(dtype), "bias": torch.zeros(2)}, "0" * 64)
    model = torch.nn.Linear(3, 2)
    if wrong is None:
        load_into(model, checkpoint, "a linear layer")
        assert torch.equal(model.weight, torch.ones(2, 3))
    else:
        with pytest.raises(CheckpointError, match="holds NaN or infinity in 1 of its weights"):
            load_into(model, checkpoint, "a linear layer")


def test_complex_numbers_do_not_fit_real_ones(recwarn):
    model = torch.nn.BatchNorm1d(3)
    state = {**model.state_dict(), "num_batches_tracked": torch.tensor(2 + 1j)}
    with pytest.raises(CheckpointError, match="1 entries differ") as raised:
        load_into(model, Checkpoint(pathlib.Path("a.pt"), state, "0" * 64), "a batch norm")
    assert raised.value.details == ("num_batches_tracked: checkpoint complex64, model int64",)
    assert not recwarn
