"""Jiang et al.'s conditional mutual information."""

from icc_cli.ranking.information import conditional_information
from icc_cli.ranking.result import Part
from icc_cli.ranking.scores import information
from icc_cli.ranking.scores.information import Options
from icc_cli.ranking.study import Study

__all__ = ["Options", "score"]


def score(study: Study, options: Options) -> Part:
    """A row for each measure with its score in [0, 1]."""
    title = "Conditional mutual information (Jiang et al. 2020), x 100,"
    return information.score(study, options, "cmi", conditional_information, title)
