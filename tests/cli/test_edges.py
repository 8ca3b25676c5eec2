"""The edges of streams, signals, files and disks: a sentence, the exit code of the contract, and never a hang."""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from icc_cli.cli import app
from tests.conftest import icc

ROOT = Path(__file__).parent.parent.parent
CASES = ROOT / "tests" / "ranking" / "cases"
TABLE = CASES / "base.csv"
RANK = ["rank", str(TABLE), "--hparams", "lr,bs,opt", "--target", "gen_gap", "--measures", "m"]
RANKED = " ".join(["icc", *RANK])
V2 = ROOT / "tests" / "cache" / "v2.h5"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def sh(script, cwd, **more):
    """Run a line of bash in which `icc` is the command, in a process of its own; no torch is imported."""
    line = f'icc() {{ "{sys.executable}" -m icc_cli "$@"; }}; {script}'
    done = subprocess.run(
        ["bash", "-c", line], cwd=cwd, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, **more
    )
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        (f"{RANKED} >/dev/full", 1, "cannot write to standard output: No space left on device"),
        (f"icc measure {V2} >/dev/full", 1, "cannot write to standard output: No space left on device"),
        ("icc rank --help >/dev/full", 1, "cannot write to standard output: No space left on device"),
        (f"{RANKED} >&-", 1, "cannot write to standard output: Bad file descriptor"),
        (f"icc measure {V2} -o out.json 2>&- >out", 0, ""),
        (f"{RANKED} --format json 2>/dev/full >out", 0, ""),
        ("icc measure - <&-", 2, "there is no input"),
        ("icc rank - <&-", 2, "there is no input"),
        ('icc --help | sleep 0; exit "${PIPESTATUS[0]}"', 141, ""),
        (f'{RANKED} | sleep 0; exit "${{PIPESTATUS[0]}}"', 141, ""),
    ],
)
def test_streams_that_are_closed_or_full(script, code, said, tmp_path):
    done = sh(script, tmp_path)
    assert done.returncode == code, (done.returncode, done.stderr)
    assert said in done.stderr


def test_a_closed_stream_does_not_give_its_number_to_a_file(tmp_path):
    script = "import os; os.close(2); from icc_cli.cli import _streams; _streams.prepare(); "
    script += "print(os.open('a', os.O_CREAT | os.O_WRONLY))"
    assert sh(f'"{sys.executable}" -c "{script}"', tmp_path).stdout.strip() != "2"


@pytest.mark.parametrize("command", ["extract", "measure", "sharpness", "rank", "report"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"\x80\x02\x00\xff" * 50, "standard input is binary"),
        (b"\xff\xfe\xfd\n", "no file"),
        (b"a" * 100_000 + b"\n", "aaa..."),
    ],
)
def test_standard_input_that_holds_no_paths(command, given, said):
    done = CliRunner().invoke(app, [command, "-"], input=given)
    assert done.exit_code == 2 and said in done.stderr, (done.stderr[:500], done.exception)
    assert len(done.stderr) < 2000 and isinstance(done.exception, SystemExit)


def test_a_name_of_any_bytes_goes_through_a_pipe(tmp_path):
    name = os.fsdecode(b"\xe9t\xe9.h5")
    (tmp_path / name).write_bytes(V2.read_bytes())
    done = sh("ls *.h5 | icc measure -q - -o . | icc rank -q --checkpoints -", tmp_path)
    assert "there are" not in done.stderr and "no file" not in done.stderr, done.stderr
    assert (tmp_path / os.fsdecode(b"\xe9t\xe9.measure.json")).exists()


@pytest.fixture
def things(tmp_path):
    """A pipe, a link to a device without an end, a socket, under names that commands take."""
    for suffix in ("pt", "h5", "jsonl", "csv", "npz"):
        os.mkfifo(tmp_path / f"pipe.{suffix}")
        (tmp_path / f"endless.{suffix}").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket.pt"))
        yield tmp_path


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["extract", "pipe.pt"], 2),
        (["extract", "endless.pt"], 2),
        (["extract", "socket.pt"], 2),
        (["measure", "pipe.h5"], 2),
        (["measure", "endless.h5"], 2),
        (["sharpness", "pipe.pt"], 2),
        (["inspect", "pipe.pt"], 2),
        (["inspect", "endless.h5"], 2),
        (["plot", "neurons", "endless.h5"], 2),
        (["rank", "endless.jsonl"], 2),
        (["rank", "endless.csv"], 2),
        ([*RANK, "--runs", "endless.csv"], 2),
        (["report", "endless.jsonl"], 2),
        (["train", "--preset", "smoke", "--data", "npz:endless.npz"], 2),
        (["train", "--preset", "smoke", "--data", "npz:pipe.npz"], 2),
        (["train", "--preset", "smoke", "--data", "digits", "--hierarchy", "endless.csv"], 2),
        (["extract", "a.pt", "--models", "endless.csv"], 2),
        (["measure", str(V2), "-o", "pipe.jsonl"], 2),
        (["measure", str(V2), "-o", "endless.jsonl"], 2),
        ([*RANK, "-o", "pipe.csv"], 2),
        ([*RANK, "-o", "endless.csv"], 2),
        (["measure", "."], 1),
        (["extract", "."], 1),
    ],
)
def test_what_is_no_file_is_neither_read_nor_replaced(arguments, code, things, monkeypatch):
    monkeypatch.chdir(things)
    before = sorted(path.name for path in things.iterdir())
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code and isinstance(done.exception, SystemExit), (done.stderr, done.exception)
    assert "not a file" in done.stderr
    assert sorted(path.name for path in things.iterdir()) == before


def test_records_come_through_a_pipe_by_its_name(tmp_path):
    assert sh(f"icc rank -q --format json <(cat {CASES / 'records.jsonl'}) --checkpoints", tmp_path).stdout


class Capabilities(ctypes.Structure):
    """The first half of what Linux's capget fills, and the second, which is not used."""

    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable", *"abc")]


@pytest.fixture
def nobody():
    """Root, but without its right to read everything; anyone else as they are."""
    if os.geteuid():
        yield
        return
    libc, head, held = ctypes.CDLL(None, use_errno=True), (ctypes.c_uint32 * 2)(0x20080522, 0), Capabilities()
    assert libc.capget(head, ctypes.byref(held)) == 0
    before, held.effective = held.effective, held.effective & ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(head, ctypes.byref(held)) == 0
    yield
    held.effective = before
    assert libc.capset(head, ctypes.byref(held)) == 0


@pytest.fixture
def locked(tmp_path):
    """A folder with files and folders that nobody may read."""
    for name in ("secret.safetensors", "secret.pt", "secret.h5", "secret.jsonl"):
        (tmp_path / name).write_bytes(b"secret")
        (tmp_path / name).chmod(0)
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "images" / "cat").chmod(0)
    (tmp_path / "caches" / "inner").mkdir(parents=True)
    (tmp_path / "caches" / "a.h5").write_bytes(V2.read_bytes())
    (tmp_path / "caches" / "inner").chmod(0)
    yield tmp_path
    for folder in ("images/cat", "caches/inner"):
        (tmp_path / folder).chmod(0o700)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["extract", "secret.safetensors"], 3, "secret.safetensors: Permission denied"),
        (["inspect", "secret.safetensors"], 3, "secret.safetensors: Permission denied"),
        (["extract", "secret.pt"], 3, "secret.pt: Permission denied"),
        (["measure", "secret.h5"], 4, "secret.h5"),
        (["inspect", "secret.h5"], 4, "secret.h5"),
        (["rank", "secret.jsonl"], 4, "secret.jsonl"),
        (["train", "--preset", "smoke", "--data", "folder:images"], 2, "cat: Permission denied"),
        (["measure", "caches"], 1, "cannot read caches/inner"),
        (["measure", "caches/inner/b.h5"], 2, "Permission denied"),
    ],
)
def test_what_may_not_be_read(arguments, code, said, locked, nobody, monkeypatch):
    monkeypatch.chdir(locked)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code and isinstance(done.exception, SystemExit), (done.stderr, done.exception)
    assert said in done.stderr
    if arguments == ["measure", "caches"]:
        assert '"c3"' in done.stdout


def catches(pid, number):
    """Whether a process has begun to run our first line, which sets a handler for this signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> (number - 1) & 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_time_ends_a_command_with_its_code_and_no_traceback(number, tmp_path):
    command = [sys.executable, "-m", "icc_cli", *RANK, "-q", "--format", "json"]
    start = time.monotonic()
    subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True)
    whole = time.monotonic() - start
    for step in range(12):
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not catches(process.pid, signal.SIGTERM):
            time.sleep(0.001)
        time.sleep(whole * step / 12)  # of a shared machine this says little, and any moment will do
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        ends = (128 + number, -number) + ((0,) if out else ())
        assert process.returncode in ends and b"Traceback" not in err, (step, process.returncode, err)


def test_a_full_disk_in_train_and_in_figures(small_disk):
    (small_disk / "fill").write_bytes(bytes(92 * 1024))
    for arguments in (
        [
            "train",
            "--preset",
            "smoke",
            "--data",
            "digits",
            "--per-class",
            2,
            "--epochs",
            1,
            "--jobs",
            1,
            "-o",
            small_disk,
        ],
        ["plot", "psi", *RANK[1:], "-o", small_disk / "psi.pdf"],
        ["report", CASES / "records.jsonl", "-o", small_disk / "report.html"],
    ):
        done = icc(*arguments)
        assert done.returncode == 1 and "No space left on device" in done.stderr, (arguments, done.stderr)
        assert "Traceback" not in done.stderr
        assert [path.name for path in small_disk.iterdir()] == ["fill"]


def test_the_end_of_a_process_with_torch_is_silent():
    """What comes with torch complains, to standard error, of what is not freed."""
    code = "import sys, torchvision; from icc_cli.__main__ import main; sys.argv = ['icc', '--version']; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, "")
