"""Following what the axes of tensors stand for through the calls of one forward pass."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from icc_cli.extraction import layer_axes, moved_axes
from icc_cli.extraction.axes import Axes, one
from icc_cli.extraction.calls import Call, Rule, elementwise, tensors


class Follower:
    """Knows the axes of the tensors that a forward pass has made so far."""

    def __init__(self) -> None:
        self._known: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    def of(self, tensor: Any) -> Axes | None:
        """What is known of `tensor`, and still fits it."""
        if not isinstance(tensor, Tensor) or isinstance(tensor, nn.Parameter):
            return None
        known: Axes | None = self._known.get(tensor)  # type: ignore[no-untyped-call]
        return known if known is not None and len(known) == tensor.dim() else None

    def learn(self, tensor: Tensor, axes: Axes | None) -> None:
        if axes is None:
            self._known.pop(tensor, None)  # type: ignore[no-untyped-call]
        else:
            self._known[tensor] = axes

    def given(self, tensor: Tensor) -> None:
        """`tensor` is what the network is called with: samples first, and channels next if it is an image."""
        sizes = tensor.shape
        if tensor.dim():
            kinds = ["samples", *(["positions"] * (tensor.dim() - 1))]
            if tensor.dim() == 4:
                kinds[1] = "units"
            self.learn(tensor, Axes(tuple(one(k, n) for k, n in zip(kinds, sizes, strict=True)), "the input"))  # type: ignore[arg-type]

    def passed(self, inputs: Any, outputs: Any) -> None:
        """A module gave `outputs` for `inputs`: what is unknown of them is what is known of an input of that shape."""
        known = [tensor for tensor in tensors(inputs) if self.of(tensor) is not None]
        for output in tensors(outputs):
            if self.of(output) is None:
                self.learn(output, next((self.of(t) for t in known if t.shape == output.shape), None))

    def follow(
        self, function: Callable[..., Any], given: tuple[tuple[Any, ...], dict[str, Any]], result: Any, where: str
    ) -> None:
        """Learn what the results of a call are."""
        (args, kwargs), name = given, name_of_call(function)
        if name == "__setitem__" and isinstance(args[0], Tensor) and self.of(args[0]) is None:
            value = self.of(args[2])
            self.learn(args[0], value if value is not None and len(value) == args[0].dim() else None)
        rule = RULES.get(name, elementwise)
        source = f"{name} in {where}" if where else name
        for index, one_result in enumerate(tensors(result)):
            if isinstance(one_result, nn.Parameter):
                continue
            try:
                axes = rule(Call(args, kwargs, one_result, index, source, self.of))
            except (TypeError, IndexError, ValueError, AttributeError):
                axes = None  # a form of the call that the rule does not know
            fits = axes is not None and len(axes) == one_result.dim()
            self.learn(one_result, axes if fits else None)


def name_of_call(function: Callable[..., Any]) -> str:
    """`transpose` of torch.transpose and Tensor.transpose, `T` of the property."""
    name = getattr(function, "__name__", "")
    name = getattr(getattr(function, "__self__", None), "__name__", name) if name == "__get__" else name
    if name.endswith("_") and not name.endswith("__"):
        name = name[:-1]  # in place
    if name == "unfold" and getattr(function, "__module__", None) == nn.functional.__name__:
        return "unfold_patches"
    return name


_NAMED: dict[Rule, str] = {
    layer_axes.convolution: "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution",
    layer_axes.channels_next: "batch_norm instance_norm group_norm",
    layer_axes.patches: "pixel_shuffle pixel_unshuffle unfold_patches fold",
    layer_axes.units_last: "linear bilinear lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell",
    layer_axes.recurrent: "lstm gru rnn_tanh rnn_relu",
    layer_axes.embedding: "embedding embedding_bag",
    layer_axes.layer_norm: "layer_norm rms_norm",
    layer_axes.product: "matmul bmm mm __matmul__ mv",
    layer_axes.reversed_product: "__rmatmul__",
    layer_axes.added_product: "addmm baddbmm",
    moved_axes.reshape: "view reshape flatten unflatten ravel view_as reshape_as",
    moved_axes.permute: "permute",
    moved_axes.transpose: "transpose swapaxes swapdims",
    moved_axes.turned: "t T H numpy_T",
    moved_axes.last_two: "mT mH adjoint",
    moved_axes.movedim: "movedim moveaxis",
    moved_axes.squeeze: "squeeze",
    moved_axes.unsqueeze: "unsqueeze",
    moved_axes.stack: "stack",
    moved_axes.without_one: "unbind select",
    moved_axes.reduction: "mean sum amax amin max min prod norm std var logsumexp median nanmean any all argmax argmin",
    moved_axes.item: "__getitem__",
    layer_axes.einsum_rule: "einsum",
    moved_axes.one_more: "unfold view_as_real",
    layer_axes.one_hot: "one_hot",
    moved_axes.unknown: "as_strided set cdist outer ger diag nonzero masked_select tensordot kron",
}
RULES: dict[str, Rule] = {name: rule for rule, names in _NAMED.items() for name in names.split()}
"""What each function that moves, makes or drops axes does to them, by its name."""
