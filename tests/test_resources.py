"""What this process may use."""

import os

from icc_cli import resources


def test_cores_come_from_the_allocation(tmp_path):
    assert resources.cpus({"SLURM_CPUS_PER_TASK": "1"}, tmp_path) == 1
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert resources.cpus({}, tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert resources.cpus({}, tmp_path) == resources.cpus({}, tmp_path / "none") >= 1
    assert resources.gpus({"CUDA_VISIBLE_DEVICES": "2,5"}) == ["2", "5"]
    assert resources.gpus({"CUDA_VISIBLE_DEVICES": ""}) == []


def test_threads_of_our_own_leave_blas_one_and_keep_to_what_the_user_set(monkeypatch):
    monkeypatch.setattr(resources, "cpus", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "5")
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    assert [resources.own_threads(processes) for processes in (1, 2, 16)] == [8, 4, 1]
    assert os.environ["OPENBLAS_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert resources.own_threads(1) == 3
