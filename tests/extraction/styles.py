"""Networks in as many styles as people write them, tiny, on 8 x 8 digits: how each is made, and the sites it has.

A style is (factory, what it is given, its sites): the sites as (kind, neurons), in the order of the forward pass.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

CLASSES = 10


class Net(nn.Module):
    """A network of named layers, whose forward pass is a function of it and its inputs."""

    def __init__(self, run, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.run = run

    def forward(self, *inputs, **named):
        return self.run(self, *inputs, **named)


def trunk(net, x):
    return F.max_pool2d(F.relu(net.conv2(F.relu(net.norm(net.conv1(x))))), 2)


def cnn(run, **more):
    return Net(
        run, conv1=nn.Conv2d(1, 4, 3, padding=1), norm=nn.BatchNorm2d(4), conv2=nn.Conv2d(4, 6, 3, padding=1),
        fc1=nn.Linear(96, 12), fc=nn.Linear(12, CLASSES), **more,
    )  # fmt: skip


def head(net, h):
    return net.fc(F.relu(net.fc1(h)))


def features(net, x):
    return F.relu(net.fc1(trunk(net, x).flatten(1)))


def by_module(net, x):
    return net.fc(net.act(net.fc1(trunk(net, x).flatten(1))))


def arithmetic(net, x):
    x = torch.maximum(net.norm(net.conv1(x)), torch.zeros(()))
    x = net.conv2(x)
    h = net.fc1(F.max_pool2d(x * (x > 0), 2).flatten(1))
    return net.fc(torch.where(h > 0, h, 0.0))


CNN = [("map", 4), ("map", 6), ("dense", 12)]


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


@torch.jit.script
def scripted_relu(x):
    return torch.relu(x)


def trained_within(net, x):
    net.train()
    return head(net, F.dropout(trunk(net, x).flatten(1), 0.5, net.training))


def with_gradients(net, x):
    x = x.clone().requires_grad_()
    logits = head(net, trunk(net, x).flatten(1))
    (gradient,) = torch.autograd.grad(logits.sum(), x, retain_graph=True)
    return logits + 0 * gradient.sum()


def by_storage(net, x):
    h = trunk(net, x)
    return head(net, torch.empty(0).set_(h.untyped_storage(), h.storage_offset(), (len(h), 96), (96, 1)))


def made_within(net, x):
    h = nn.ReLU()(net.norm(net.conv1(x)))
    return net.fc(nn.ReLU()(net.fc1(F.max_pool2d(nn.ReLU(inplace=True)(net.conv2(h)), 2).flatten(1))))


def reused(net, x):
    h = F.max_pool2d(net.act(net.conv2(net.act(net.norm(net.conv1(x))))), 2)
    return net.fc(net.act(net.fc1(h.flatten(1))))


class Out(OrderedDict):
    """As Hugging Face's ModelOutput: a dictionary with attributes."""

    def __getattr__(self, name):
        return self[name]


def rows(x):
    """The image's rows as a sequence of 8 tokens of 8 numbers."""
    return x.squeeze(1)


def encoder(batch_first):
    layer = nn.TransformerEncoderLayer(8, 2, 20, batch_first=batch_first)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def sequence_first(net, x):
    return net.fc(net.encoder(rows(x).transpose(0, 1)).mean(0))


def vit(net, x):
    tokens = net.patch(x).flatten(2).transpose(1, 2)
    tokens = torch.cat([net.cls.expand(len(x), -1, -1), tokens], 1) + net.place
    return net.fc(net.encoder(tokens)[:, 0])


def mixer(net, x):
    h = net.patch(x).flatten(2).transpose(1, 2)
    h = h + net.t2(F.relu(net.t1(h.transpose(1, 2)))).transpose(1, 2)
    return net.fc((h + net.c2(F.relu(net.c1(h)))).mean(1))


def channels_last_block(net, x):
    h = net.patch(x).permute(0, 2, 3, 1)
    h = net.down(F.relu(net.up(net.norm(h))))
    return net.fc(h.permute(0, 3, 1, 2).mean((2, 3)))


def normed_bhwc(net, x):
    return net.fc(F.relu(net.norm(net.patch(x).permute(0, 2, 3, 1))).mean((1, 2)))


def windows(net, x):
    h = net.patch(x).permute(0, 2, 3, 1)
    b, height, width, c = h.shape
    h = h.view(b, height // 2, 2, width // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)
    h = net.down(F.relu(net.up(h)))
    h = h.view(b, height // 2, width // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(b, height, width, c)
    return net.fc(h.mean((1, 2)))


def merged_tokens(net, x):
    h = F.relu(net.up(rows(x).reshape(-1, 8)))
    return net.fc(h.view(len(x), 8, -1).amax(1))


def frames(net, x):
    """Every row a sample of its own through a 1-D convolution, then put together again."""
    h = F.relu(net.conv(rows(x).reshape(-1, 1, 8)))
    return net.fc(h.view(len(x), 8, 5, 8).amax((1, 3)))


def point_net(net, x):
    points = rows(x).transpose(1, 2)
    return net.fc(F.relu(net.norm(net.conv(points))).amax(2))


def state_space(net, x):
    """An S4-like layer: a long convolution by FFT over (samples, units, time)."""
    u = net.encode(rows(x)).transpose(-1, -2)
    length = u.size(-1)
    spectrum = torch.fft.rfft(u, n=2 * length) * torch.fft.rfft(net.kernel, n=2 * length)
    y = torch.fft.irfft(spectrum, n=2 * length)[..., :length] + u * net.skip.unsqueeze(-1)
    return net.fc(F.gelu(y).transpose(-1, -2).mean(1))


def shuffled_channels(net, x):
    h = net.conv1(x)
    b, c, height, width = h.shape
    h = h.view(b, 2, c // 2, height, width).transpose(1, 2).reshape(b, c, height, width)
    return net.fc(F.relu(h).mean((2, 3)))


def excited(net, x):
    h = net.conv1(x)
    scale = net.b(F.relu(net.a(h.mean((2, 3), keepdim=True)))).sigmoid()
    return net.fc(F.relu(h * scale).mean((2, 3)))


def by_einsum(net, x):
    h = F.relu(torch.einsum("btf,fu->btu", rows(x), net.weight))
    return net.fc(F.relu(torch.einsum("btu,ut->bu", h, net.other)))


def by_product(net, x):
    h = F.relu(rows(x) @ net.weight)
    return F.relu(net.other.t() @ h).amax(2)


def linear_attention(net, x):
    b, t, _ = rows(x).shape
    q, k, v = net.qkv(rows(x)).view(b, t, 3, 2, 4).permute(2, 0, 3, 1, 4)
    q, k = F.relu(q), F.relu(k)
    h = (q @ (k.transpose(-2, -1) @ v)).transpose(1, 2).reshape(b, t, 8)
    return net.fc(h.mean(1))


def last_of(sequence):
    return sequence[0][:, -1]


P = nn.Parameter
PATCH = (1, 8, 2, 2)
STYLES = {
    "flatten": (lambda: cnn(lambda n, x: head(n, trunk(n, x).flatten(1))), "images", CNN),
    "view": (lambda: cnn(lambda n, x: head(n, trunk(n, x).view(-1, 96))), "images", CNN),
    "view of the size": (lambda: cnn(lambda n, x: head(n, trunk(n, x).view(x.size(0), -1))), "images", CNN),
    "as strided": (lambda: cnn(lambda n, x: head(n, trunk(n, x).as_strided((len(x), 96), (96, 1)))), "images", CNN),
    "by storage": (lambda: cnn(by_storage), "images", CNN),
    "squeeze": (lambda: cnn(lambda n, x: head(n, trunk(n, x).flatten(1)).squeeze()), "images", CNN),
    "(logits, features)": (lambda: cnn(lambda n, x: (n.fc(h := features(n, x)), h)), "images", CNN),
    "(features, logits)": (lambda: cnn(lambda n, x: (h := features(n, x), n.fc(h))), "images", CNN),
    "[logits, None]": (lambda: cnn(lambda n, x, labels=None: [head(n, trunk(n, x).flatten(1)), None]), "images", CNN),
    "dictionary": (lambda: cnn(lambda n, x: {"loss": None, "logits": head(n, trunk(n, x).flatten(1))}), "images", CNN),
    "model output": (lambda: cnn(lambda n, x: Out(logits=head(n, trunk(n, x).flatten(1)))), "images", CNN),
    "made within": (lambda: cnn(made_within), "images", CNN),
    "one module": (lambda: cnn(reused, act=nn.ReLU(inplace=True)), "images", CNN),
    "autograd function": (
        lambda: cnn(lambda n, x: n.fc(StraightThrough.apply(n.fc1(trunk(n, x).flatten(1))))), "images", CNN),
    "arithmetic": (lambda: cnn(arithmetic), "images", CNN),
    "checkpointed": (
        lambda: cnn(lambda n, x: head(n, checkpoint(trunk, n, x, use_reentrant=False).flatten(1))), "images", CNN),
    "training mode within": (lambda: cnn(trained_within), "images", CNN),
    "numpy within": (
        lambda: cnn(lambda n, x: head(n, trunk(n, torch.from_numpy(x.numpy().copy())).flatten(1))), "images", CNN),
    "gradients within": (lambda: cnn(with_gradients), "images", CNN),
    "scripted function": (
        lambda: cnn(lambda n, x: n.fc(scripted_relu(n.fc1(trunk(n, x).flatten(1))))), "images", CNN),
    "scripted module": (
        lambda: cnn(by_module, act=torch.jit.script(nn.Sequential(nn.ReLU()))),
        "images", CNN),
    "compiled module": (
        lambda: cnn(by_module, act=torch.compile(nn.ReLU(), backend="eager")),
        "images", CNN),
    "weight norm": (
        lambda: Net(lambda n, x: n.fc(F.relu(n.a(x)).amax((2, 3))), fc=nn.Linear(5, CLASSES),
                    a=nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 5, 3))), "images", [("map", 5)]),
    "spectral norm": (
        lambda: Net(lambda n, x: n.fc(F.relu(n.a(x)).amax((2, 3))), fc=nn.Linear(5, CLASSES),
                    a=nn.utils.parametrizations.spectral_norm(nn.Conv2d(1, 5, 3))), "images", [("map", 5)]),
    "transposed convolution": (
        lambda: Net(lambda n, x: n.fc(F.relu(n.a(x)).mean((2, 3))), a=nn.ConvTranspose2d(1, 5, 2, 2),
                    fc=nn.Linear(5, CLASSES)), "images", [("map", 5)]),
    "pixel shuffle": (
        lambda: Net(lambda n, x: n.fc(F.relu(n.s(n.a(x))).amax((2, 3))), a=nn.Conv2d(1, 12, 3), s=nn.PixelShuffle(2),
                    fc=nn.Linear(3, CLASSES)), "images", [("map", 3)]),
    "concatenation": (
        lambda: Net(lambda n, x: n.fc(F.relu(torch.cat([x, n.a(x)], 1)).amax((2, 3))), a=nn.Conv2d(1, 5, 3, padding=1),
                    fc=nn.Linear(6, CLASSES)), "images", [("map", 6)]),
    "channel shuffle": (
        lambda: Net(shuffled_channels, conv1=nn.Conv2d(1, 6, 3), fc=nn.Linear(6, CLASSES)), "images", [("map", 6)]),
    "squeeze and excitation": (
        lambda: Net(excited, conv1=nn.Conv2d(1, 6, 3), a=nn.Conv2d(6, 2, 1), b=nn.Conv2d(2, 6, 1),
                    fc=nn.Linear(6, CLASSES)), "images", [("map", 2), ("map", 6)]),
    "group norm": (
        lambda: Net(lambda n, x: n.fc(F.relu(n.g(n.a(x))).mean((2, 3))), a=nn.Conv2d(1, 6, 3), g=nn.GroupNorm(2, 6),
                    fc=nn.Linear(6, CLASSES)), "images", [("map", 6)]),
    "1-D convolution": (
        lambda: Net(lambda n, x: n.fc(F.relu(n.c(rows(x))).amax(2)), c=nn.Conv1d(8, 7, 3), fc=nn.Linear(7, CLASSES)),
        "images", [("map", 7)]),
    "3-D convolution": (
        lambda: Net(lambda n, x: n.fc(F.relu(n.c(x.unsqueeze(2))).amax((2, 3, 4))), c=nn.Conv3d(1, 5, 3, padding=1),
                    fc=nn.Linear(5, CLASSES)), "images", [("map", 5)]),
    "point net": (
        lambda: Net(point_net, conv=nn.Conv1d(8, 9, 1), norm=nn.BatchNorm1d(9), fc=nn.Linear(9, CLASSES)), "images",
        [("map", 9)]),
    "state space": (
        lambda: Net(state_space, encode=nn.Linear(8, 6), kernel=P(torch.randn(6, 8)), skip=P(torch.randn(6)),
                    fc=nn.Linear(6, CLASSES)), "images", [("map", 6)]),
    "transformer": (
        lambda: Net(lambda n, x: n.fc(n.encoder(rows(x)).mean(1)), encoder=encoder(True), fc=nn.Linear(8, CLASSES)),
        "images", [("tokens", 20)] * 2),
    "transformer, tokens first": (
        lambda: Net(sequence_first, encoder=encoder(False), fc=nn.Linear(8, CLASSES)), "images", [("tokens", 20)] * 2),
    "vision transformer": (
        lambda: Net(vit, patch=nn.Conv2d(*PATCH), cls=P(torch.randn(1, 1, 8)), place=P(torch.randn(17, 8)),
                    encoder=encoder(True), fc=nn.Linear(8, CLASSES)), "images", [("tokens", 20)] * 2),
    "mixer": (
        lambda: Net(mixer, patch=nn.Conv2d(*PATCH), t1=nn.Linear(16, 11), t2=nn.Linear(11, 16), c1=nn.Linear(8, 13),
                    c2=nn.Linear(13, 8), fc=nn.Linear(8, CLASSES)), "images", [("tokens", 11), ("tokens", 13)]),
    "linear on maps": (
        lambda: Net(channels_last_block, patch=nn.Conv2d(*PATCH), norm=nn.LayerNorm(8), up=nn.Linear(8, 15),
                    down=nn.Linear(15, 8), fc=nn.Linear(8, CLASSES)), "images", [("tokens", 15)]),
    "layer norm on maps": (
        lambda: Net(normed_bhwc, patch=nn.Conv2d(*PATCH), norm=nn.LayerNorm(8), fc=nn.Linear(8, CLASSES)), "images",
        [("tokens", 8)]),
    "windows": (
        lambda: Net(windows, patch=nn.Conv2d(*PATCH), up=nn.Linear(8, 15), down=nn.Linear(15, 8),
                    fc=nn.Linear(8, CLASSES)), "images", [("tokens", 15)]),
    "tokens as samples": (
        lambda: Net(merged_tokens, up=nn.Linear(8, 14), fc=nn.Linear(14, CLASSES)), "images", [("tokens", 14)]),
    "rows as samples": (
        lambda: Net(frames, conv=nn.Conv1d(1, 5, 3, padding=1), fc=nn.Linear(5, CLASSES)), "images", [("tokens", 5)]),
    "einsum": (
        lambda: Net(by_einsum, weight=P(torch.randn(8, 9)), other=P(torch.randn(9, 8)), fc=nn.Linear(9, CLASSES)),
        "images", [("tokens", 9), ("dense", 9)]),
    "matrix products": (
        lambda: Net(by_product, weight=P(torch.randn(8, 9)), other=P(torch.randn(8, CLASSES))), "images",
        [("tokens", 9), ("tokens", 9)]),
    "linear attention": (
        lambda: Net(linear_attention, qkv=nn.Linear(8, 24), fc=nn.Linear(8, CLASSES)), "images", [("map", 8)] * 2),
    "LSTM": (
        lambda: Net(lambda n, x: n.fc(F.relu(n.fc1(last_of(n.lstm(rows(x)))))), lstm=nn.LSTM(8, 6, batch_first=True),
                    fc1=nn.Linear(6, 11), fc=nn.Linear(11, CLASSES)), "images", [("dense", 11)]),
    "GRU, its state": (
        lambda: Net(lambda n, x: n.fc(F.relu(n.gru(rows(x).transpose(0, 1))[1][-1])), gru=nn.GRU(8, 6),
                    fc=nn.Linear(6, CLASSES)), "images", [("dense", 6)]),
    "outputs of a GRU": (
        lambda: Net(lambda n, x: n.fc(F.relu(n.gru(rows(x).transpose(0, 1))[0]).amax(0)), gru=nn.GRU(8, 6),
                    fc=nn.Linear(6, CLASSES)), "images", [("tokens", 6)]),
    "one logit": (
        lambda: Net(lambda n, x: n.b(F.relu(n.a(x.flatten(1)))), a=nn.Linear(64, 7), b=nn.Linear(7, 1)), "binary",
        [("dense", 7)]),
    "one logit, no axis": (
        lambda: Net(lambda n, x: n.b(F.relu(n.a(x.flatten(1)))).squeeze(1), a=nn.Linear(64, 7), b=nn.Linear(7, 1)),
        "binary", [("dense", 7)]),
    "one probability": (
        lambda: Net(lambda n, x: n.b(F.relu(n.a(x.flatten(1)))).sigmoid(), a=nn.Linear(64, 7), b=nn.Linear(7, 1)),
        "binary", [("dense", 7)]),
    "table": (
        lambda: nn.Sequential(nn.Linear(64, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, CLASSES)), "table",
        [("dense", 20)]),
    "embedded tokens": (
        lambda: Net(lambda n, ids: n.fc(F.relu(n.a(n.e(ids))).amax(1)), e=nn.Embedding(17, 6), a=nn.Linear(6, 9),
                    fc=nn.Linear(9, CLASSES)), "tokens", [("tokens", 9)]),
    "named inputs": (
        lambda: Net(lambda n, ids, mask: n.fc((F.relu(n.a(n.e(ids))) * mask.unsqueeze(-1)).sum(1)),
                    e=nn.Embedding(17, 6), a=nn.Linear(6, 9), fc=nn.Linear(9, CLASSES)), "named", [("tokens", 9)]),
    "two inputs": (
        lambda: Net(lambda n, a, b: n.fc(F.relu(n.a(a.flatten(1)) + n.b(b))), a=nn.Linear(64, 9), b=nn.Linear(8, 9),
                    fc=nn.Linear(9, CLASSES)), "pair", [("dense", 9)]),
    "units first": (
        lambda: Net(lambda n, x: (n.w.t() @ F.relu(n.v @ x.flatten(1).t())).t(), v=P(torch.randn(9, 64) / 8),
                    w=P(torch.randn(9, CLASSES))), "images", [("dense", 9)]),
}  # fmt: skip


def randomised(name):
    """A network of that style whose batch norm is no identity."""
    torch.manual_seed(0)
    net = STYLES[name][0]()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return net


def inputs(given, images):
    """What a style is given for grey `images` (N, 1, 8, 8)."""
    flat = images.flatten(1)
    ids = (flat[:, :12] * 4 + 8).clamp(0, 16).long()
    mask = (ids % 3 > 0).float()
    return {
        "images": images, "binary": images, "table": flat, "tokens": ids, "named": {"ids": ids, "mask": mask},
        "pair": (images, flat[:, :8]),
    }[given]  # fmt: skip
