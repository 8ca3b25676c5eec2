"""Python that a user names: `path/to/file.py:NAME`, `package.module:NAME`, or the name of an entry point.

The one way in for networks, data, measures and scores of others. Only what the user names is loaded, never what a
checkpoint, a cache or a record names.
"""

from icc_cli.loading.named import Named, named
from icc_cli.loading.run import reason
from icc_cli.loading.world import Inside, belongs, world_of

__all__ = ["Inside", "Named", "belongs", "named", "reason", "world_of"]
