"""A network in inference mode for a while, and then back as it came."""

import contextlib
import random
import sys
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from icc_cli.errors import CheckpointError
from icc_cli.loading import world_of


@contextlib.contextmanager
def inference(model: nn.Module, device: torch.device) -> Iterator[None]:
    """`model` on `device` in inference mode, which it cannot leave by itself; TF32 off, random numbers from seed 0.

    When the block ends, however it ends, every module's mode, attributes, parameters, gradients and buffers are the
    ones they were, at the same place in memory, and so are the states of the random generators of torch, numpy and
    Python. A network from a user's file runs as in its own program. CheckpointError for a lazy module that
    has not seen a batch.
    """
    if any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers())):
        raise CheckpointError("the model has lazy modules without weights.", "Run one batch through it first.")
    with world_of(model), random_state_kept(), _kept(model), exact_float32(), _plainly():
        hold_in_inference(model.to(device))
        torch.manual_seed(0)
        np.random.seed(0)
        random.seed(0)
        yield


def hold_in_inference(model: nn.Module) -> None:
    """Put `model` in inference mode, which its own forward pass cannot leave."""
    for module in model.eval().modules():
        if not isinstance(module, torch.jit.ScriptModule):
            vars(module)["train"] = _Held(module)


class _Held:
    """In the place of a module's `train`, which its own forward pass may call: nothing happens."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self.called = False

    def __call__(self, mode: bool = True) -> nn.Module:
        self.called |= mode
        return self._module


def held_in_inference(model: nn.Module) -> bool:
    """Whether the model's forward pass has tried to leave inference mode since `inference` began."""
    return any(getattr(vars(module).get("train"), "called", False) for module in model.modules())


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """Forward passes as they are written: nothing compiled, nothing fused that would hide an activation function."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.jit.optimized_execution(False))  # type: ignore[attr-defined]
        # torch._dynamo takes a second to import, and whoever compiles a module has imported it.
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)


@contextlib.contextmanager
def _kept(model: nn.Module) -> Iterator[None]:
    """Restore all that a module holds: its attributes (the mode is one), its parameters and buffers, and their data."""
    modules = [module for module in model.modules() if not isinstance(module, torch.jit.ScriptModule)]
    attributes = [dict(vars(module)) for module in modules]
    tables = [(dict(module._parameters), dict(module._buffers), dict(module._modules)) for module in modules]
    data = [(tensor, tensor.data) for parameter in model.parameters() for tensor in _with_gradient(parameter)]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for module, own, (parameters, held, children) in zip(modules, attributes, tables, strict=True):
            vars(module).clear()
            vars(module).update(own)
            for table, saved in (
                (module._parameters, parameters),
                (module._buffers, held),
                (module._modules, children),
            ):
                table.clear()
                table.update(saved)  # type: ignore[arg-type]
        for tensor, own_data in data:
            tensor.data = own_data
        with torch.no_grad():
            for buffer, value in buffers:
                if not torch.equal(buffer, value):
                    buffer.copy_(value)


def _with_gradient(parameter: nn.Parameter) -> tuple[Tensor, ...]:
    return (parameter,) if parameter.grad is None else (parameter, parameter.grad)


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Restore the states of the random generators of torch, numpy and Python at the end of the block."""
    of_numpy, of_python = np.random.get_state(), random.getstate()
    with_gpu = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = range(torch.cuda.device_count()) if with_gpu else ()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        np.random.set_state(of_numpy)
        random.setstate(of_python)


class exact_float32:
    """Context in which float32 products are float32: TF32 is off."""

    def __enter__(self) -> None:
        self._previous = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

    def __exit__(self, *exception: object) -> None:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = self._previous
