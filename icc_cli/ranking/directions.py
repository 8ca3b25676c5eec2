"""Which way a measure is expected to go with the target."""

from collections.abc import Mapping

from icc_cli import catalog
from icc_cli.catalog import base_name
from icc_cli.ranking.table import GAP

LARGER_IS_WORSE = frozenset({GAP, "gen_gap", "test_loss", "test_error"})


def direction(measure: str, target: str, chosen: Mapping[str, int]) -> int:
    """+1 when a larger measure is expected with a larger target, -1 when with a smaller one.

    `chosen` decides first, by the column's name or by the measure's (`c3` for `c3@k=1`). A measure of ours
    goes with accuracy as the paper says, and the other way with the generalization gap, the test loss and the
    test error. A column that is not ours has +1.
    """
    base = base_name(measure)
    for name in (measure, base):
        if name in chosen:
            return chosen[name]
    about = catalog.find(base)
    if about is None or about.with_accuracy == 0:
        return 1
    return -about.with_accuracy if target in LARGER_IS_WORSE else about.with_accuracy
