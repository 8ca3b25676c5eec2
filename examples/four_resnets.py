"""Trains the networks of nets.py on a hundred of scikit-learn's digits, in a minute: python four_resnets.py ckpts"""

import sys
from pathlib import Path

import nets
import torch
import torch.nn.functional as F

from icc_cli.data import DataSource, load

NAMES = ("resnet6", "resnet10", "resnet14", "wide6")
folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
data = load(DataSource("digits", per_class=10))
images = (torch.from_numpy(data.train.images).permute(0, 3, 1, 2).float() / 255 - data.mean[0]) / data.std[0]
labels = torch.from_numpy(data.train.labels)
for name in NAMES:
    torch.manual_seed(0)
    model = getattr(nets, name)()
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    for _ in range(30):
        for batch in torch.randperm(len(images)).split(20):
            optimizer.zero_grad()
            F.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    torch.save(model.state_dict(), folder / f"{name}.pt")
