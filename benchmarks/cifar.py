"""CIFAR-10 from a folder of JPEG files by the recipe of ``striate train``, and by PyTorch.

PyTorch decodes with Pillow on all threads, holds the padded images as one tensor of floats, and
cuts an epoch's images out of it with one masked copy for each of the 25 places.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

SIDE, CROP, FILTERS = 32, 2, (64, 256, 256)
VIEWS = "moved"


def run_striate(data: Path, model: Path, settings: dict[str, Any]) -> tuple[float, float]:
    """Train and save; the time when that was done, and the accuracy on the test images."""
    import striate
    from striate.network import Network
    from striate.training import recipes

    images = striate.load_data(data)
    recipe = recipes.choose((SIDE, SIDE, 3), 10, len(images.train_images))
    training = recipe.training.changed(epochs=settings["epochs"])
    network = recipe.build(Network)
    network.initialise(settings["seed"])
    network.classes = list(images.classes)
    network.fit(
        images.train_images,
        images.train_labels,
        **training.arguments(),
        seed=settings["seed"],
        threads=settings["threads"],
        progress=False,
    )
    network.save(model)
    done = time.time()
    found = network.predict_logits(images.test_images, views=VIEWS).argmax(axis=1)
    return done, float((found == images.test_labels).mean())


def read(folder: Path, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, height, width, channels), uint8, and class indices."""
    from PIL import Image

    paths = sorted(folder.glob("*/*.jpg"))
    names = sorted({path.parent.name for path in paths})
    images = np.empty((len(paths), SIDE, SIDE, 3), np.uint8)

    def decode(index: int) -> None:
        with Image.open(paths[index]) as image:
            images[index] = np.asarray(image)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(decode, range(len(paths)), chunksize=500))
    return images, np.array([names.index(path.parent.name) for path in paths])


def network() -> Any:
    """The network of striate's recipe for small colour images, and weights that begin like its."""
    from torch import nn

    class Scale(nn.Module):
        def forward(self, x: Any) -> Any:
            return x / 9

    layers: list[Any] = [nn.Conv2d(3, 24, 2), nn.ReLU()]
    before = 24
    for filters in FILTERS:
        for pool in (True, False):
            conv = nn.Conv2d(before, filters, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            for i in range(min(before, filters)):
                conv.weight.data[i] = 0
                conv.weight.data[i, i, 1, 1] = 1
            layers += [conv, *[nn.MaxPool2d(2)] * pool, nn.BatchNorm2d(filters), nn.ReLU()]
            before = filters
    dense = nn.Linear(before, 10)
    nn.init.kaiming_normal_(dense.weight, nonlinearity="relu")
    nn.init.zeros_(dense.bias)
    nn.init.zeros_(layers[0].bias)
    return nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten(), dense, Scale())


def whiten(filters: Any, images: Any) -> None:
    """Set the first filters as striate does; see `striate.training.whitening`."""
    import torch

    patches = torch.nn.functional.unfold(images, 2).transpose(1, 2).reshape(-1, 12).double()
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    directions = (vectors / torch.sqrt(values + 5e-4)).flip(1).T.reshape(12, 3, 2, 2)
    filters.data[0::2], filters.data[1::2] = directions.float(), -directions.float()


def seen(net: Any, x: Any) -> Any:
    """Outputs averaged over six views of the images, as `striate.engines.views` has them."""
    from torch.nn.functional import pad

    wider = pad(x, (1, 1, 1, 1), mode="replicate")
    places = (x, x, wider[:, :, :SIDE, :SIDE], wider[:, :, 2:, 2:])
    return sum(net(place) + net(place.flip(-1)) for place in places) / 8


def run_pytorch(data: Path, model: Path, settings: dict[str, Any]) -> tuple[float, float]:
    """The same in PyTorch, in its own layout or channels_last."""
    import torch
    from torch import nn

    layout = torch.channels_last if "channels_last" in settings["way"] else torch.contiguous_format
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(settings["seed"])
    images, labels = read(data / "train", settings["threads"])
    mean = torch.tensor(images.mean((0, 1, 2), dtype=np.float64), dtype=torch.float32)
    std = torch.tensor(images.std((0, 1, 2), dtype=np.float64), dtype=torch.float32)

    def standardised(raw: np.ndarray) -> Any:
        x = ((torch.from_numpy(raw).float() - mean) / std).permute(0, 3, 1, 2)
        return x.contiguous(memory_format=layout)

    x, y = standardised(images), torch.from_numpy(labels)
    net = network()
    whiten(net[0].weight, x[:: len(x) // 1000][:1000].contiguous())
    net = net.to(memory_format=layout)
    x = nn.functional.pad(x, (CROP,) * 4, mode="reflect").contiguous(memory_format=layout)
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 1.3e-3}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, 0.25, 0.9, nesterov=True, fused=True)
    epochs, batch = settings["epochs"] or 8, 256
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.25, total_steps=epochs * -(-len(x) // batch), pct_start=0.23,
        cycle_momentum=False,
    )  # fmt: skip
    mirrored = torch.rand(len(x)) < 0.5
    changed = torch.empty(len(x), 3, SIDE, SIDE).contiguous(memory_format=layout)
    for _ in range(epochs):
        tops, lefts = torch.randint(0, 2 * CROP + 1, (2, len(x)))
        for top in range(2 * CROP + 1):
            for left in range(2 * CROP + 1):
                here = (tops == top) & (lefts == left)
                changed[here] = x[here, :, top : top + SIDE, left : left + SIDE]
        changed[mirrored] = changed[mirrored].flip(-1)
        mirrored = ~mirrored
        for rows in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad(set_to_none=True)
            logits = net(changed[rows])
            nn.functional.cross_entropy(logits, y[rows], label_smoothing=0.2).backward()
            optimizer.step()
            schedule.step()
    torch.save(net.state_dict(), model)
    done = time.time()
    net.eval()
    images, labels = read(data / "test", settings["threads"])
    with torch.no_grad():
        found = torch.cat([seen(net, part).argmax(1) for part in standardised(images).split(500)])
    return done, float((found.numpy() == labels).mean())
