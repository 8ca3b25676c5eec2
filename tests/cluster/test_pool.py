"""Processes of one machine: a GPU each."""

import os
import time

from icc_cli.cluster import pool


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
