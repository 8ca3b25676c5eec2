"""The head of a network: its last linear call, where what that gives is the logits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from icc_cli.cache import HeadWeights

NO_HEAD = "the network's logits are not the output of its last linear call, so there is no head"


@dataclass(frozen=True)
class LinearCall:
    """One call of `torch.nn.functional.linear`."""

    inputs: Tensor
    weight: Tensor
    bias: Tensor | None
    output: Tensor

    def gives(self, logits: Tensor) -> bool:
        """Whether its output, of one row per sample, is the logits (B, K')."""
        return self.inputs.dim() == 2 and self.output.shape == logits.shape and torch.equal(self.output, logits)

    def weights(self) -> HeadWeights:
        """Its weight (K', d) and bias (K',), 0 where it has none, as float32."""
        weight = self.weight.detach().float().numpy(force=True).copy()
        bias = torch.zeros(len(weight)) if self.bias is None else self.bias.detach().float()
        return HeadWeights(weight, bias.numpy(force=True).copy())


def is_linear(function: Callable[..., Any]) -> bool:
    return function is F.linear


def linear_call(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
) -> LinearCall | None:
    """The call, when `function` is the linear layer's."""
    if not is_linear(function) or not isinstance(output, Tensor):
        return None
    given = dict(zip(("input", "weight", "bias"), args, strict=False)) | dict(kwargs)
    return LinearCall(given["input"], given["weight"], given.get("bias"), output)
