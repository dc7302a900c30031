"""Fine-tuning of a network in PyTorch, in a process of its own, from files to a saved model.

    python benchmarks/transfer_in_pytorch.py DATA BEFORE AFTER EPOCHS RATE SEED THREADS

DATA has train/ and test/ with a folder of images per class; BEFORE is a module with the mean and
the standard deviation of what it reads, its size, and that of the pictures whose middle it is.
Prints a line of JSON with the accuracy.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.fx
from PIL import Image, ImageOps
from torch import nn

BATCH, SMOOTHING, WEIGHT_DECAY, WARMUP = 32, 0.1, 0.01, 0.1


def load(folder: Path, given: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """All images of a part, (n, 3, height, width) of bytes in channels-last order, and classes."""
    images, labels = [], []
    (height, width), whole = given["size"], given["cut_from"]
    top, left = (whole[0] - height) // 2, (whole[1] - width) // 2
    for label, path in enumerate(sorted(folder.iterdir())):
        for file in sorted(path.iterdir()):
            with Image.open(file) as image:
                fitted = ImageOps.fit(image.convert("RGB"), whole[::-1], Image.Resampling.BICUBIC)
            images.append(np.asarray(fitted)[top : top + height, left : left + width])
            labels.append(label)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), torch.tensor(labels)


def main() -> None:
    data, before, after = map(Path, sys.argv[1:4])
    epochs, rate, seed, threads = int(sys.argv[4]), float(sys.argv[5]), *map(int, sys.argv[6:8])
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    given: dict[str, Any] = torch.load(before, weights_only=False)
    module: nn.Module = given["module"].to(memory_format=torch.channels_last)
    mean, std = (torch.tensor(given[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    images, labels = load(data / "train", given)
    batch = min(BATCH, max(len(labels) // 8, 8))
    steps = epochs * math.ceil(len(labels) / batch)
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=rate, weight_decay=WEIGHT_DECAY, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=WARMUP, anneal_strategy="cos"
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=SMOOTHING)

    def ready(some: torch.Tensor) -> torch.Tensor:
        return ((some.float() - mean) / std).contiguous(memory_format=torch.channels_last)

    module.train()
    # Few images move the averages of batch normalisation too little, and those of a batch too much:
    # all that was tried was more accurate with the averages that came along.
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(batch):
            some = ready(images[rows])
            mirrored = torch.rand(len(some)) < 0.5
            some[mirrored] = some[mirrored].flip(3)
            optimizer.zero_grad(set_to_none=True)
            loss_of(module(some), labels[rows]).backward()
            optimizer.step()
            schedule.step()
    beside = after.with_suffix(".part")
    torch.save(module.state_dict(), beside)
    beside.rename(after)
    module.eval()
    images, labels = load(data / "test", given)
    with torch.inference_mode():
        found = [module(ready(some)).argmax(1) for some in images.split(BATCH)]
    print(json.dumps({"accuracy": float((torch.cat(found) == labels).float().mean())}))


if __name__ == "__main__":
    main()
