"""Every size that is a lie or a cliff."""

from tests.faults import sizes


def test_no_size_takes_more_than_there_is(tmp_path):
    failed = []
    for name, run in sizes.tries(tmp_path):
        try:
            run()
        except AssertionError as error:
            failed.append(f"{name}: {error}")
    assert not failed
