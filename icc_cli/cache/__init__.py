"""The HDF5 activation cache: one file for one checkpoint. Imports no torch."""

from icc_cli.cache.read import Cache, open_cache, stored_content_key, stored_weights
from icc_cli.cache.rows import Rows
from icc_cli.cache.stored import CacheHead, CacheSite, StoredSite
from icc_cli.cache.write import CacheWriter, HeadWeights, SiteInfo, background, content_key, new_cache

__all__ = [
    "Cache",
    "CacheHead",
    "CacheSite",
    "CacheWriter",
    "HeadWeights",
    "Rows",
    "SiteInfo",
    "StoredSite",
    "background",
    "content_key",
    "new_cache",
    "open_cache",
    "stored_content_key",
    "stored_weights",
]
