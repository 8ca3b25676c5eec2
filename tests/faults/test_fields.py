"""A sample of the fields of another type, drawn with a fixed seed; `make faults` tries them all."""

import random
from collections import Counter

from tests.faults import fields

OF_EACH = 3
SEED = 3


def test_whatever_a_field_holds_is_read_or_refused(tmp_path):
    found = list(fields.tries(tmp_path))
    formats = Counter(fields.group(name) for name, _ in found)
    assert len(formats) == len(fields.FORMATS)
    draw = random.Random(SEED)
    failed = []
    for kind in formats:
        for name, run in draw.sample([one for one in found if fields.group(one[0]) == kind], OF_EACH):
            try:
                run()
            except AssertionError as error:
                failed.append(f"{name}: {error}")
    assert not failed
