"""The score of the PGDL competition."""

from icc_cli.ranking.information import pgdl_score
from icc_cli.ranking.result import Part
from icc_cli.ranking.scores import information
from icc_cli.ranking.scores.information import Options
from icc_cli.ranking.study import Study

__all__ = ["Options", "score"]


def score(study: Study, options: Options) -> Part:
    """A row for each measure with its score in [0, 1]."""
    return information.score(study, options, "pgdl", pgdl_score, "Score of the PGDL competition, x 100,")
