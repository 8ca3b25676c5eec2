"""Processes of one machine: a GPU each."""

import os
import time

from icc_cli.cluster import allocation, pool


def visible(item):
    time.sleep(0.2)
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_each_process_sees_one_of_several_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    found = dict(pool.in_processes(range(8), visible, 2, lambda: False))
    assert sorted(found) == list(range(8))
    assert set(found.values()) == {"4", "7"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert set(dict(pool.in_processes(range(3), visible, 2, lambda: False)).values()) == {"3"}


def test_threads_of_our_own_leave_blas_one_and_keep_to_what_the_user_set(monkeypatch):
    monkeypatch.setattr(allocation, "cpus", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "5")
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    assert [allocation.own_threads(processes) for processes in (1, 2, 16)] == [8, 4, 1]
    assert os.environ["OPENBLAS_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert allocation.own_threads(1) == 3
