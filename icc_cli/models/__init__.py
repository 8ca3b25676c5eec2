"""The networks: the paper's two families, and how `--model` names any other.

`ModelSpec`, `parse` and `build` are imported from `icc_cli.models.spec`, which needs no torch before it builds.
"""

from icc_cli.models.spec import ModelSpec, build, parse

__all__ = ["ModelSpec", "build", "parse"]
