"""The networks: the paper's two families, and how `--model` names any other."""

from icc_cli.models.spec import ModelSpec, build, bytes_of, parse

__all__ = ["ModelSpec", "build", "bytes_of", "parse"]
