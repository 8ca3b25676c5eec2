"""Which way a measure is expected to go with the target."""

from collections.abc import Mapping

from icc_cli.ranking.table import GAP

LARGER_IS_WORSE = frozenset({GAP, "gen_gap", "test_loss", "test_error"})
WITH_ACCURACY = {
    "c1": 1,
    "c2": 1,
    "c3": 1,
    "c4": 1,
    "inv_sigma": -1,
    "inv_alpha": -1,
    "inv_sigma_kernels": -1,
    "inv_alpha_kernels": -1,
}
VARIANT = "@"


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
    if base not in WITH_ACCURACY:
        return 1
    return -WITH_ACCURACY[base] if target in LARGER_IS_WORSE else WITH_ACCURACY[base]


def base_name(column: str) -> str:
    """`c3` of the column `c3@k=1`."""
    return column.split(VARIANT, 1)[0]
