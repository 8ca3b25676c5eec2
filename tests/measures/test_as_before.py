"""The declared measures give what the code before them gave, to the last bit, on every awkward case."""

import itertools

import numpy as np
import pytest

from icc_cli import catalog
from icc_cli.measures.network import measure_sites
from icc_cli.measures.options import Options
from icc_cli.measures.site import ArraySite
from tests.measures.cases import CASES
from tests.measures.old import measure as old

PAPER = [catalog.find(name) for name in catalog.GROUPS["paper"]]


@pytest.mark.parametrize("name", CASES)
def test_every_value_is_the_same_to_the_last_bit(name):
    arrays, labels, sublabels = CASES[name](np.random.default_rng([0, *name.encode()]))
    sites = [ArraySite(f"site{i}", array) for i, array in enumerate(arrays)]
    for convention, (k, layer_k, site_k), hierarchy in itertools.product(
        ("paper", "reference"), ((1, 1, 1), (30, 5, 5), (3, 2, 4)), (True, False)
    ):
        sub = sublabels if hierarchy else None
        settings = {"k": k, "layer_k": layer_k, "site_k": site_k, "convention": convention}
        for all_k in (False, True):
            now = measure_sites(sites, labels, sub, PAPER, Options(**settings, per_site=True, all_k=all_k))
            then = old.measure(sites, labels, sub, old.Options(**settings, per_site=True, all_k=all_k))
            assert dict(now) == then.measures
            assert not hierarchy or sorted(now.notes) == sorted(then.notes)
            assert [
                {"name": s.name, "neurons": s.neurons, "dead": s.dead, **s.measures} for s in now.per_site
            ] == then.per_site
            for curve in then.all_k or ():
                one, other = now.all_k[curve], then.all_k[curve]
                assert (one is None) == (other is None)
                assert one is None or np.array_equal(one, other)
