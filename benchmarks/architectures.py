"""Real architectures through `icc extract` and `icc measure`, each checked against a second way of capturing.

    python benchmarks/architectures.py [NETWORK...]

Makes a folder of scikit-learn's digits as images (class/subclass/image), saves each network with random weights as
a bare state dict, and runs the two commands on it as a user would. The check compares the sites of one batch, bit
for bit, with torch.fx's node-by-node run where the network can be traced, else with hooks on its activation
modules. Where PyTorch takes a fused path for attention when nothing looks on, the comparison is to 1e-4 of the
values, and says so. Prints a Markdown table.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from icc_cli.extraction import Capture, Sites
from icc_cli.extraction.functions import name_of
from icc_cli.extraction.functions import parse as activation_names
from icc_cli.models.spec import build
from icc_cli.models.spec import parse as model_spec

SIDE = 64
IMAGES_PER_DIGIT = 20
NETWORKS: list[tuple[str, str, list[str], str]] = [
    ("torchvision:vgg11_bn", "relu", [], ""),
    ("torchvision:resnet18", "relu", [], ""),
    ("torchvision:resnet50", "relu", [], ""),
    ("torchvision:wide_resnet50_2", "relu", [], ""),
    ("torchvision:densenet121", "relu", [], ""),
    ("torchvision:googlenet", "relu", ["init_weights=false", "aux_logits=false"], ""),
    ("torchvision:regnet_y_400mf", "relu", [], "*.se.*"),
    ("torchvision:mobilenet_v2", "relu6", [], ""),
    ("torchvision:mobilenet_v3_small", "relu,hardswish", [], "*.fc*"),
    ("torchvision:efficientnet_b0", "silu", [], "*.fc*"),
    ("torchvision:convnext_tiny", "gelu", [], ""),
    ("torchvision:vit_b_16", "gelu", [f"image_size={SIDE}"], ""),
    ("timm:vit_tiny_patch16_224", "gelu", [f"img_size={SIDE}"], ""),
    ("timm:swin_tiny_patch4_window7_224", "gelu", [f"img_size={SIDE}"], ""),
    ("timm:nf_resnet26", "relu", [], ""),
    ("timm:eca_nfnet_l0", "silu", [], ""),
    ("timm:mixer_s16_224", "gelu", [f"img_size={SIDE}"], ""),
]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_images(folder / "images")
        print("| network | activations | sites | neurons | extract (s) | measure (s) | c1 | c3 | checked against |")
        print("|---|---|---|---|---|---|---|---|---|")
        for spec, activations, arguments, exclude in NETWORKS:
            if sys.argv[1:] and spec not in sys.argv[1:]:
                continue
            print("| " + " | ".join(row(folder, spec, activations, arguments, exclude)) + " |", flush=True)


def make_images(folder: Path) -> None:
    """scikit-learn's digits as PNG files: superclass/digit/number.png."""
    from PIL import Image

    from icc_cli.data import DataSource, load

    digits = load(DataSource("digits", per_class=IMAGES_PER_DIGIT))
    assert digits.train.sublabels is not None
    for number, (label, digit) in enumerate(zip(digits.train.labels, digits.train.sublabels, strict=True)):
        path = folder / digits.label_names[label] / str(digit) / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits.train.images[number : number + 1][0, :, :, 0]).save(path)


def row(folder: Path, spec: str, activations: str, arguments: list[str], exclude: str) -> list[str]:
    """The table's cells for one network."""
    torch.manual_seed(0)
    network = randomised(build(model_spec(spec, [*arguments, "num_classes=3"])))
    torch.save(network.state_dict(), folder / "net.pt")
    options = [f"--model-arg={argument}" for argument in arguments]
    globs = ["--exclude-sites", exclude] if exclude else []
    data = ["--data", f"folder:{folder / 'images'}", "--image-size", str(SIDE), "--mean", "0.3", "--std", "0.38"]
    start = time.perf_counter()
    icc(
        folder, "extract", "-q", "net.pt", "--model", spec, *options, *data,
        "--activations", activations, *globs, "-o", "net.h5", "--force",
    )  # fmt: skip
    middle = time.perf_counter()
    record = json.loads(icc(folder, "measure", "-q", "net.h5"))
    end = time.perf_counter()
    sites = json.loads(icc(folder, "inspect", "net.h5", "--format", "json"))
    checked = check(network, activation_names(activations), exclude)
    counts = [str(len(sites["sites"])), f"{sites['neurons']:,}"]
    seconds = [f"{middle - start:.1f}", f"{end - middle:.1f}"]
    values = [f"{record['measures'][name]:.3f}" for name in ("c1", "c3")]
    return [spec, activations + (f", without `{exclude}`" if exclude else ""), *counts, *seconds, *values, checked]


def icc(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-m", "icc_cli", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def randomised(network: nn.Module) -> nn.Module:
    """In inference mode, with batch-norm statistics that are no identity."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


class Interpreter(fx.Interpreter):
    """Runs a traced network and keeps the input of every activation call."""

    def __init__(self, traced: fx.GraphModule, names: tuple[str, ...]) -> None:
        super().__init__(traced)
        self.names = names
        self.found: list[Tensor] = []

    def run_node(self, node: fx.Node) -> Any:
        args, kwargs = self.fetch_args_kwargs_from_env(node)
        target: Any = node.target
        if node.op == "call_module":
            name = activation_of(self.fetch_attr(target))
        elif node.op in ("call_function", "call_method"):
            name = name_of(getattr(Tensor, target) if node.op == "call_method" else target, args, kwargs)
        else:
            name = None
        if name in self.names:
            self.found.append(args[0].clone())
        return super().run_node(node)


def activation_of(module: Any) -> str | None:
    """The activation that a module is, by its class."""
    return {
        "ReLU": "relu", "ReLU6": "relu6", "SiLU": "silu", "GELU": "gelu", "Hardswish": "hardswish",
        "Hardsigmoid": "hardsigmoid", "Sigmoid": "sigmoid", "GELUTanh": "gelu",
    }.get(type(module).__name__)  # fmt: skip


def check(network: nn.Module, names: tuple[str, ...], exclude: str) -> str:
    """Compare one batch's captures with fx, or with module hooks; gives the way that was used."""
    images = torch.randn(3, 3, SIDE, SIDE)
    capture = Capture(network, Sites(names))
    with torch.inference_mode(), capture:
        network(images.clone())
    sites, values = capture.take()
    try:
        interpreter = Interpreter(fx.symbolic_trace(network), names)
        with torch.inference_mode():
            interpreter.run(images.clone())
        found, way = interpreter.found, "torch.fx"
    except Exception:  # fx cannot trace control flow that depends on values or shapes
        found, way = hooked(network, names, images), "module hooks"
    if len(found) != len(values):
        raise SystemExit(f"{len(values)} sites captured, {len(found)} by {way}")
    same = True
    for site, value, expected in zip(sites, values, found, strict=True):
        if site.kind == "tokens":
            expected = expected.flatten(1, -2).max(dim=1).values
        elif site.kind == "map":
            expected = expected.flatten(2).max(dim=2).values
        if not torch.equal(value, expected):
            same = False
            if not torch.allclose(value, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max())):
                raise SystemExit(f"site {site.name} differs from {way}")
    return way if same else f"{way}, to 1e-4"


def hooked(network: nn.Module, names: tuple[str, ...], images: Tensor) -> list[Tensor]:
    found: list[Tensor] = []
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].clone()))
        for module in network.modules()
        if activation_of(module) in names
    ]
    with torch.inference_mode():
        network(images.clone())
    for hook in hooks:
        hook.remove()
    return found


if __name__ == "__main__":
    main()
