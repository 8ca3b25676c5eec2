"""Shards: a partition, stable, balanced by size; the list of inputs fixed by the first worker."""

import itertools
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from icc_cli.cluster import plan, shards
from icc_cli.errors import UsageError

LISTS = st.dictionaries(st.text(min_size=1, max_size=4), st.integers(0, 10**10), min_size=1, max_size=40)


@given(LISTS, st.integers(1, 12))
def test_a_partition_that_does_not_depend_on_the_order(sizes, count):
    items = list(sizes.items())
    parts = shards.split(items, count)
    assert sorted(index for part in parts for index in part) == list(range(len(items)))
    shuffled = random.Random(0).sample(items, len(items))
    again = shards.split(shuffled, count)
    assert [{items[i] for i in part} for part in parts] == [{shuffled[i] for i in part} for part in again]


def heaviest(sizes, parts):
    return max(sum(size + shards.COST_OF_AN_INPUT for size in (sizes[i] for i in part)) for part in parts)


def least_possible(sizes, count):
    """The heaviest shard of the best of all splits."""
    splits = itertools.product(range(count), repeat=len(sizes))
    return min(heaviest(sizes, [[i for i, s in enumerate(split) if s == n] for n in range(count)]) for split in splits)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=6), st.integers(1, 3))
@example([10**9, 10**9, 2 * 10**9], 2)
@example([3 * 10**9, 3 * 10**9, 2 * 10**9, 2 * 10**9, 2 * 10**9], 2)
def test_no_shard_has_more_than_four_thirds_of_the_least_possible(sizes, count):
    parts = shards.split([(str(i), size) for i, size in enumerate(sizes)], count)
    assert heaviest(sizes, parts) <= 4 / 3 * least_possible(sizes, count)


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "1/0", "a/b", "-1/3", "1/3/5", "1.0/2"])
def test_what_is_no_shard(text):
    with pytest.raises(UsageError):
        shards.parse(text)


def test_the_first_list_stays(tmp_path):
    file = tmp_path / "job" / "inputs.jsonl"
    first = [shards.Listed("a b.h5", "a b.h5", 3), shards.Listed("\u00fc.h5", "\u00fc.h5", 0)]
    assert shards.fixed(file, first) == first
    assert shards.fixed(file, []) == first
    assert [path.name for path in file.parent.iterdir()] == ["inputs.jsonl"]


def test_tasks_are_worth_their_start():
    assert plan.tasks([1000] * 48, None) == 6
    assert plan.tasks([400_000_000] * 48, None) == 48
    assert plan.tasks([1000] * 48, 64) == 48
    assert plan.tasks(None, 64, 10) == 10
    assert plan.tasks(None, None) is None
