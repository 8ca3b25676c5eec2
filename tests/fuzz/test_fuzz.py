"""Damaged files of every kind that commands read: an exit code of the contract, and never a traceback or a hang.

ICC_FUZZ_EXAMPLES=10000 pytest tests/fuzz -n 0
"""

import os
import shutil

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from typer.testing import CliRunner

from icc_cli.cli import app

EXAMPLES = int(os.environ.get("ICC_FUZZ_EXAMPLES", "25"))
COMMANDS = {
    "net.pt": ("inspect",),
    "legacy.pt": ("inspect",),
    "net.safetensors": ("inspect",),
    "acts.h5": ("measure", "--k", "3"),
    "records.jsonl": ("rank", "--format", "json"),
    "table.csv": ("rank", "--hparams", "lr,bs", "--target", "gap", "--measures", "m1,m2", "--format", "json"),
}
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["set", "flip", "insert", "delete", "cut", "repeat"]),
        st.floats(0, 1),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=6,
)
TEXTS = (b"NaN", b"Infinity", b"-1", b"1e999", b"null", b'"', b"{", b"[", b",", b"\n", b"\0", b"\xff", b"9" * 400)


def edited(content, edits):
    content = bytearray(content)
    for kind, where, data in edits:
        at = int(where * len(content))
        if kind == "set":
            content[at : at + len(data)] = data
        elif kind == "flip" and at < len(content):
            content[at] ^= 1 << (data[0] % 8)
        elif kind == "insert":
            content[at:at] = TEXTS[data[0] % len(TEXTS)]
        elif kind == "delete":
            del content[at : at + data[0]]
        elif kind == "cut":
            del content[max(1, at) :]
        else:
            content += content[at : at + 64]
    return bytes(content)


@pytest.fixture(scope="module")
def originals(caches, checkpoints, tmp_path_factory):
    """Good files of each kind, by the names of COMMANDS."""
    folder = tmp_path_factory.mktemp("originals")
    source = sorted(checkpoints.glob("*.pt"))[0]
    shutil.copy(source, folder / "net.pt")
    content = torch.load(source, weights_only=True)
    torch.save(content, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    save_file(content["state_dict"], folder / "net.safetensors")
    shutil.copy(sorted(caches.glob("*.h5"))[0], folder / "acts.h5")
    runner = CliRunner()
    lines = [runner.invoke(app, ["measure", "-q", str(path)]).stdout for path in sorted(caches.glob("*.h5"))]
    (folder / "records.jsonl").write_text("".join(lines))
    (folder / "table.csv").write_text(
        "name,lr,bs,gap,m1,m2\n"
        + "".join(f"n{i},{0.1 * (i % 3)},{i % 2},{i * 0.01},{i * i % 7},{-i}\n" for i in range(12))
    )
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_an_undamaged_file_is_read(name, originals):
    command, *options = COMMANDS[name]
    assert CliRunner().invoke(app, [command, str(originals / name), *options]).exit_code == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_a_damaged_file_is_read_or_refused(name, originals, tmp_path_factory):
    whole = (originals / name).read_bytes()
    path = tmp_path_factory.mktemp("fuzz") / name
    command, *options = COMMANDS[name]

    @settings(max_examples=EXAMPLES, deadline=20_000, suppress_health_check=list(HealthCheck), database=None)
    @given(EDITS)
    def check(edits):
        path.write_bytes(edited(whole, edits))
        result = CliRunner().invoke(app, [command, str(path), *options])
        assert result.exit_code in (0, 2, 3, 4), (result.exit_code, result.output)
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        if result.exit_code:
            assert "icc:" in result.output

    check()
