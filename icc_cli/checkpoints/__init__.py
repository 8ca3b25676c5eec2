"""Checkpoints: read safely, unwrapped, hashed, and fitted into a model."""

from icc_cli.checkpoints.fit import load_into
from icc_cli.checkpoints.read import Checkpoint, read, weights_sha256

__all__ = ["Checkpoint", "load_into", "read", "weights_sha256"]
