"""Every name and type in a cache file (format version 2); docs/cache-format.md is its description."""

FORMAT = "icc-activations"
VERSION = 2
READABLE = (1, 2)

FORMAT_ATTR = "format"
VERSION_ATTR = "format-version"
GENERATED_BY_ATTR = "generated-by"
CREATED_ATTR = "creation-date"
CONTENT_KEY_ATTR = "content-key"
METADATA_ATTR = "metadata"

SAMPLE_ID = "sample_id"
CLASS_LABELS = "labels/class"
SUBCLASS_LABELS = "labels/subclass"
PREDICTIONS = "predictions/class"
SITES = "sites"
PREACTIVATIONS = "preactivations"
HEAD = "head"
HEAD_INPUTS = "head/inputs"
HEAD_WEIGHT = "head/weight"
HEAD_BIAS = "head/bias"
LOGITS = "logits"
TEST = "test"

SITE_NAME_ATTR = "name"
SITE_KIND_ATTR = "kind"
SITE_MAP_SIZE_ATTR = "map_size"

STORE_DTYPES = ("float32", "float16")


def inside(split: str, name: str) -> str:
    """The place of `name` for a split: the training split's arrays lie in the root, the test split's in a group."""
    return f"{split}/{name}" if split else name


def site_group(index: int) -> str:
    """The group of site `index`, in the order of the forward pass."""
    return f"{SITES}/{index:03d}"
