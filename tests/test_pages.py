"""Memory of large arrays that one after another use."""

import gc
import threading

import numpy as np
import pytest

from icc_cli import pages

COUNT = pages.WORTH // 4


def place(array):
    return array.__array_interface__["data"][0]


def test_an_array_takes_the_place_of_one_that_is_gone():
    with pages.used_again():
        first = pages.empty((COUNT // 2, 2), np.float32)
        assert (first.shape, first.dtype, first.flags.c_contiguous) == ((COUNT // 2, 2), np.float32, True)
        first[:] = 1
        where = place(first)
        del first
        second = pages.empty((COUNT // 2,), np.float64)
        assert place(second) == where and second.shape == (COUNT // 2,)


@pytest.mark.parametrize("view", [lambda a: a[5:], lambda a: a.reshape(-1)[::2], lambda a: a.view(np.int32).T])
def test_what_is_still_seen_keeps_its_place(view):
    with pages.used_again():
        first = pages.empty((COUNT,), np.float32)
        first[:] = 7
        seen = view(first)
        before = seen.copy()
        del first
        gc.collect()
        second = pages.empty((COUNT,), np.float32)
        second[:] = 0
        assert np.array_equal(seen, before)


def test_the_smallest_that_will_do():
    with pages.used_again():
        large, small = pages.empty((4 * COUNT,), np.float32), pages.empty((2 * COUNT,), np.float32)
        places = place(large), place(small)
        del large, small
        fits, rest = pages.empty((COUNT,), np.float32), pages.empty((3 * COUNT,), np.float32)
        assert (place(rest), place(fits)) == places


def test_what_is_too_small_is_returned_and_so_is_all_after_the_block():
    with pages.used_again():
        del_me = pages.empty((COUNT,), np.float32)
        del del_me
        assert len(pages._free) == 1
        larger = pages.empty((2 * COUNT,), np.float32)
        assert pages._free == []
        del larger
        pages.give_back()
        assert pages._free == []
        kept = pages.empty((COUNT,), np.float32)
    assert pages._free is None
    del kept
    assert pages._free is None


def test_little_ones_and_those_outside_are_plain():
    with pages.used_again(), pages.used_again():
        assert pages.empty((COUNT - 1,), np.float32).base is None
        assert pages.empty((0, 3), np.float32).shape == (0, 3)
    assert pages.empty((COUNT,), np.float32).base is None


def test_threads_never_share_one():
    wrong = []

    def work(number):
        for turn in range(50):
            array = pages.empty((COUNT,), np.float32)
            array[::4096] = number * 100 + turn
            if not (array[::4096] == number * 100 + turn).all():
                wrong.append(number)

    with pages.used_again():
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
