"""The measures of one network from its sites, one site in memory at a time for each process."""

from collections.abc import Callable, Sequence
from functools import partial

from icc_cli.errors import FormatError
from icc_cli.forks import in_forks
from icc_cli.measures.declare import Measure
from icc_cli.measures.groups import class_groups
from icc_cli.measures.options import Options
from icc_cli.measures.result import Result, SiteValues
from icc_cli.measures.scores import SiteScores, site_scores, whole_scores
from icc_cli.measures.site import HELD_BYTES, Array, Site
from icc_cli.measures.tally import Tally
from icc_cli.measures.view import SiteView
from icc_cli.measures.whole import Given, Network
from icc_cli.pages import used_again
from icc_cli.resources import check_memory

WORTH_FORKS = 2**20
"""Pre-activations from which processes pay: with fewer, making them costs more than they save."""


def measure_sites(
    given: Given,
    measures: Sequence[Measure],
    options: Options,
    progress: Callable[[int], None] = lambda neurons: None,
    processes: int = 1,
) -> Result:
    """Compute `measures` of one network, only these.

    `progress` is called with the number of neurons of each site that is done. So many sites are computed at once, in
    forks of this process, each in about 130 MB; the classes of a single site in threads. BLAS should be held to one
    thread beside several.

    Raises FormatError when a site holds NaN or infinity, has no neurons, or has not N rows; UsageError when a measure
    fails.
    """
    sites, labels = given.sites, given.labels
    classes = class_groups(labels, given.sublabels)
    if sum(len(labels) * site.shape[1] for site in sites) < WORTH_FORKS:
        processes = 1
    threads = processes if len(sites) == 1 else 1
    leaves = sum(len(group.leaves) for group in classes)
    possible = [one for one in measures if one.groups != "subclasses" or given.sublabels is not None]
    at_sites = [one for one in possible if not one.whole or (options.per_site and one.over == "head")]

    for site in sites:
        check_memory(_needed(site.shape, leaves, at_sites), f"measuring the site {site.name}", FormatError)

    def work(site: Site) -> SiteScores:
        if site.shape[0] != len(labels) or site.shape[1] < 1:
            raise FormatError(
                f"site {site.name} has shape {site.shape}, expected ({len(labels)}, n) with n at least 1."
            )
        return site_scores(SiteView(site, classes, options.convention, threads), at_sites)

    def work_whole() -> dict[str, Array | str]:
        network = Network(labels, classes, [site.shape[1] for site in sites], given.beside, threads)
        return {one.name: whole_scores(one, network) for one in possible if one.whole}

    tally = Tally(possible, classes, options.settled(sum(site.shape[1] for site in sites)))
    parts: list[Callable[[], SiteScores | dict[str, Array | str]]]
    parts = [work_whole, *(partial(work, site) for site in sites)]
    with used_again():
        begin = _largest_first(sites, leaves, at_sites)
        for scores in in_forks(lambda part: parts[part](), range(len(parts)), processes if threads == 1 else 1, begin):
            if isinstance(scores, SiteScores):
                tally.add(scores)
                progress(scores.neurons)
            else:
                for name, found in scores.items():
                    tally.add_whole(name, found)
    return _with_absent(tally.result(), measures, possible)


def _largest_first(sites: Sequence[Site], leaves: int, measures: Sequence[Measure]) -> list[int]:
    """The order in which the network and its sites are begun, so that the last are small and no process waits long for
    another; as they come where their scores, which wait for each other, would take much memory."""
    scores = 8 * leaves * sum(site.shape[1] for site in sites) * sum(one.over == "neurons" for one in measures)
    order = list(range(1, len(sites) + 1))
    if scores <= HELD_BYTES:
        order.sort(key=lambda place: -sites[place - 1].shape[1])
    return [0, *order]


def _needed(shape: tuple[int, int], leaves: int, measures: Sequence[Measure]) -> int:
    """Bytes that measuring a site takes at the least: a row and the moments of every group, and over sites the rows,
    where they are fewer than the neurons, and the Gram matrix of the smaller side."""
    count, neurons = shape
    needed = 8 * neurons * (2 * leaves + 2)
    if any(one.over == "sites" for one in measures):
        smaller = min(shape)
        needed += 8 * (count * neurons * (count <= neurons) + smaller**2)
    return needed


def _with_absent(result: Result, measures: Sequence[Measure], possible: Sequence[Measure]) -> Result:
    """The result with None for the measures that need subclasses where there are none."""
    absent = [one.name for one in measures if one not in possible]
    if not absent:
        return result
    all_k = result.all_k
    if all_k is not None:
        all_k = {one.name: all_k.get(one.name) for one in measures if "k" in one.settings}
    return Result(
        {one.name: result.measures.get(one.name) for one in measures},
        (f"{', '.join(absent)}: there are no subclasses.", *result.notes),
        result.groups,
        None if result.per_site is None else tuple(_site_with(site, measures) for site in result.per_site),
        all_k,
    )


def _site_with(site: SiteValues, measures: Sequence[Measure]) -> SiteValues:
    values = {one.name: site.measures.get(one.name) for one in measures if one.over != "network"}
    return SiteValues(site.name, site.neurons, site.dead, values)
