"""Every name and type in a cache file (format version 2); docs/cache-format.md is its description."""

from icc_cli.shapes import DATA, counted, fields, items, mapping, number, optional, plain, text, whole, words

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

ATTRIBUTES = fields(
    {FORMAT_ATTR: text, VERSION_ATTR: whole, CONTENT_KEY_ATTR: words, METADATA_ATTR: text},
    {GENERATED_BY_ATTR: text, CREATED_ATTR: text},
)
ATTRIBUTE_NAMES = (FORMAT_ATTR, VERSION_ATTR, CONTENT_KEY_ATTR, METADATA_ATTR, GENERATED_BY_ATTR, CREATED_ATTR)
SITE_ATTRIBUTES = fields({SITE_NAME_ATTR: words, SITE_KIND_ATTR: text, SITE_MAP_SIZE_ATTR: counted}, {})
SITE_ATTRIBUTE_NAMES = (SITE_NAME_ATTR, SITE_KIND_ATTR, SITE_MAP_SIZE_ATTR)
_SPAN = items(whole, least=2)
METADATA = fields(
    {"checkpoint": words},
    {
        "weights_sha256": text,
        "metrics": optional(mapping(optional(number))),
        "hparams": optional(mapping(plain)),
        "measured": optional(mapping(number)),
        "epoch": optional(whole),
        "data": optional(DATA),
        "label_names": items(text),
        "sublabel_names": items(text),
        "warnings": items(text),
        "reasons": optional(mapping(text)),
    },
)
PART = fields(
    {
        "rows": fields({"part": counted, "of": counted, "train": _SPAN, "test": _SPAN}, {}),
        "measured": mapping(number),
        "metrics": mapping(optional(number)),
        "warnings": items(text),
    },
    {},
)
"""The metadata of a part of a cache, beside."""

STORE_DTYPES = ("float32", "float16")


def inside(split: str, name: str) -> str:
    """The place of `name` for a split: the training split's arrays lie in the root, the test split's in a group."""
    return f"{split}/{name}" if split else name


def site_group(index: int) -> str:
    """The group of site `index`, in the order of the forward pass."""
    return f"{SITES}/{index:03d}"
