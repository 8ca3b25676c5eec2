"""What identifies the numbers of a cache: its content key, and what it says of itself. Imports no torch."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from icc_cli.cache import content_key
from icc_cli.extraction.how import Extraction
from icc_cli.extraction.sinks import Identity
from icc_cli.shapes import JsonObject

if TYPE_CHECKING:
    from icc_cli.models.spec import ModelSpec
    from icc_cli.subject import Subject

NUMERICS = 4
"""Of the extraction: raised when a correction changes what is taken from a network, so that it is taken again."""


@dataclass(frozen=True)
class Provenance:
    """All that the numbers depend on; the name of the checkpoint stands with them, so that records tell them apart."""

    checkpoint: str
    weights_sha256: str
    model: JsonObject
    data: JsonObject
    normalisation: JsonObject | None
    how: Extraction
    numerics: int = NUMERICS

    @property
    def content_key(self) -> str:
        """sha256 of it all, but for the device and the batch size, on which the numbers do not depend."""
        return content_key(
            weights=self.weights_sha256, name=self.checkpoint, numerics=self.numerics, **self.settings(self.model)
        )

    def settings(self, model: JsonObject) -> JsonObject:
        """The part that is options, as plain data, with `model` as the weights settle it."""
        sites = self.how.sites
        return {
            "model": model,
            "data": self.data,
            "normalisation": self.normalisation,
            "activations": list(sites.activations),
            "sites": {
                "include": list(sites.include),
                "exclude": list(sites.exclude),
                **({"axes": [list(pair) for pair in sites.axes]} if sites.axes else {}),
            },
            "dtype": self.how.precision,
            "store_dtype": self.how.store_dtype,
            **({"with_test": True} if self.how.with_test else {}),
        }


@dataclass(frozen=True)
class Description:
    """What a cache says of its network beside what its numbers depend on."""

    measured: dict[str, float]
    device: str
    model: JsonObject
    """With the arguments that the weights' shapes settle."""
    hparams: JsonObject = field(default_factory=dict)
    metrics: JsonObject = field(default_factory=dict)
    epoch: int | None = None
    label_names: tuple[str, ...] = ()
    sublabel_names: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What has to be known of the network, such as that it is random."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why there is no head, or no value of a control."""
    rows: JsonObject | None = None
    """Which `part` it is `of` how many, and the rows [start, stop] of either split that it holds."""


def of_subject(subject: "Subject", how: Extraction) -> Provenance:
    """The provenance of what is taken from `subject` as `how` says."""
    mean, std = subject.normalisation.mean, subject.normalisation.std
    return Provenance(
        subject.checkpoint.name,
        subject.checkpoint.weights_sha256,
        plain_model(subject.model),
        {**subject.data.described, "digest": subject.data.digest},
        {"mean": list(mean), "std": list(std)} if mean else None,
        how,
    )


def plain_model(spec: "ModelSpec") -> JsonObject:
    """A model as records name it."""
    return {"spec": spec.spec, "args": spec.args}


def describe(
    subject: "Subject",
    measured: dict[str, float],
    device: str,
    warnings: tuple[str, ...] = (),
    counted: dict[str, float | None] | None = None,
    reasons: dict[str, str] | None = None,
) -> Description:
    """What the cache of `subject` says, the model with all that its weights settle."""
    checkpoint, data = subject.checkpoint, subject.data
    return Description(
        measured,
        device,
        plain_model(subject.model),
        checkpoint.hparams,
        {**measured, **(counted or {}), **checkpoint.metrics},
        checkpoint.epoch,
        data.label_names,
        data.sublabel_names,
        warnings,
        reasons or {},
    )


def identity(provenance: Provenance, description: Description) -> Identity:
    """What a sink is finished with: the content key and the metadata of docs/cache-format.md."""
    import torch

    plain = asdict(description)
    metadata = {
        "checkpoint": provenance.checkpoint,
        "weights_sha256": provenance.weights_sha256,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in plain.items() if name != "rows"},
        **({"rows": description.rows} if description.rows else {}),
        "torch": torch.__version__,
        "numerics": provenance.numerics,
        **provenance.settings(description.model),
    }
    return Identity(provenance.content_key, metadata)
