"""Caches of any shape, filled with random pre-activations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from icc_cli.cache import Rows, SiteInfo, new_cache

# The stem's and two ReLUs in each of the eight blocks of the paper's WRN at width 1: 17 sites, 1,952 neurons.
PAPER_WIDTHS = (32, *(32,) * 4, *(64,) * 4, *(128,) * 4, *(256,) * 4)
ROWS_AT_ONCE = 5000


def make(path: Path, rows: int, widths: Sequence[int], classes: int, subclasses: int, seed: int) -> None:
    """A cache of `rows` samples in `classes` of `subclasses` each, with a site of each width.

    Every subclass has its own means, so that the measures have something to tell apart.
    """
    rng = np.random.default_rng(seed)
    finest = np.sort(np.arange(rows) % (classes * subclasses))
    centres = [rng.standard_normal((classes * subclasses, width), np.float32) for width in widths]
    with new_cache(path, "float32") as writer:
        sites = [SiteInfo(f"relu#{i}", "map", width, 1) for i, width in enumerate(widths)]
        writer.create(Rows(np.arange(rows), finest // subclasses, finest % subclasses), sites)
        for start in range(0, rows, ROWS_AT_ONCE):
            groups = finest[start : start + ROWS_AT_ONCE]
            blocks = [
                centre[groups] + rng.standard_normal((len(groups), centre.shape[1]), np.float32) for centre in centres
            ]
            writer.write(start, blocks)
        head = {"checkpoint": f"{seed}.pt", "weights_sha256": f"{seed:064}", "hparams": {}, "metrics": {}}
        writer.finish(np.zeros(rows, np.int64), head, f"key-{seed}")
