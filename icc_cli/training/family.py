"""A set of networks, several at a time in processes of their own."""

import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from icc_cli.data import Dataset
from icc_cli.training.loop import Tensors
from icc_cli.training.member import Member, Outcome, prepare, train_member


@dataclass(frozen=True)
class _Context:
    data: Dataset
    train: Tensors
    test: Tensors | None


_context: _Context | None = None


def train_family(members: list[Member], data: Dataset, device: str, jobs: int) -> Iterator[tuple[Member, Outcome]]:
    """Train every member, `jobs` at a time, and yield each with its outcome as it is completed."""
    if jobs <= 1 or len(members) <= 1:
        _begin(data, device, None)
        for member in members:
            yield _work(member)
        return
    threads = max(1, torch.get_num_threads() // jobs)
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(jobs, len(members)), _begin, (data, device, threads)) as pool:
        yield from pool.imap_unordered(_work, members)


def _begin(data: Dataset, device: str, threads: int | None) -> None:
    global _context
    if threads is not None:
        # A worker: the parent decides what Ctrl-C and SIGTERM mean, and ends the workers.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        torch.set_num_threads(threads)
    where = torch.device(device)
    mean, std = data.mean, data.std
    assert mean is not None and std is not None
    test = None if data.test is None else prepare(data.test, mean, std, where)
    _context = _Context(data, prepare(data.train, mean, std, where), test)


def _work(member: Member) -> tuple[Member, Outcome]:
    assert _context is not None
    return member, train_member(member, _context.data, _context.train, _context.test)
