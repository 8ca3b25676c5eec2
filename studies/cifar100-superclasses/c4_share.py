"""c4 of every cache with other shares of active samples than the paper's 25 %: a CSV table for `icc rank --join`.

python c4_share.py FOLDER > c4-share.csv
"""

import csv
import sys
from pathlib import Path

from icc_cli.cache import open_cache
from icc_cli.measures import layer_variance
from icc_cli.measuring import measure

SHARES = (5, 10, 15, 25, 35, 50)


def main() -> None:
    table = csv.writer(sys.stdout)
    table.writerow(["checkpoint", *(f"c4@share={share}" for share in SHARES)])
    for path in sorted(Path(sys.argv[1]).glob("*.h5")):
        with open_cache(path) as cache:
            row = [cache.metadata["checkpoint"]]
            for share in SHARES:
                layer_variance.PAPER_PERCENTILE = 100.0 - share
                row.append(measure(cache, measures="c4", layer_k=5)["c4"])
        table.writerow(row)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
