"""c1 to c4 of arrays, as the tests ask for them: rows as dictionaries, notes as a list."""

from types import SimpleNamespace

from icc_cli.measures.chosen import choose
from icc_cli.measures.network import measure_sites
from icc_cli.measures.options import Options
from icc_cli.measures.whole import Given

PAPER = [one.measure for one in choose(["paper"])]


def measure(sites, labels, sublabels, options=None, processes=1):
    found = measure_sites(Given(list(sites), labels, sublabels), PAPER, options or Options(), processes=processes)
    rows = found.per_site and [
        {"name": site.name, "neurons": site.neurons, "dead": site.dead, **site.measures} for site in found.per_site
    ]
    return SimpleNamespace(measures=dict(found), notes=list(found.notes), per_site=rows, all_k=found.all_k)
