"""The bits of what striate computes, as hashes, for vectors of fixed widths.

A change that is meant to change no number must leave every hash as it is:

    python tests/same_bits.py            compare with same_bits.json, for the widths of this machine
    python tests/same_bits.py --write    write them anew, after a change that is meant to

Everything that goes in (images, labels, weights, keys) is made by integer arithmetic, so that no
library's version and no processor decides about it; what comes out depends on the width of the
vectors, but on nothing else of the machine.  Each width is computed in a process of its own, with
two threads.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

KEPT = Path(__file__).with_suffix(".json")
WIDTHS = (16, 32, 64)


def bits_of(*arrays: Any) -> str:
    """A hash of the bytes of some arrays, their dtypes and shapes."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]


def noise(*shape: int, seed: int = 0) -> Any:
    """float32 in [-1, 1), by integer arithmetic alone."""
    count = int(np.prod(shape))
    word = np.arange(count, dtype=np.uint64) + np.uint64(seed * 1_000_003 + 1)
    word *= np.uint64(0x9E3779B97F4A7C15)
    word ^= word >> np.uint64(29)
    word *= np.uint64(0xBF58476D1CE4E5B9)
    word ^= word >> np.uint64(32)
    whole = (word >> np.uint64(40)).astype(np.int64) - (1 << 23)
    return (whole.astype(np.float32) / np.float32(1 << 23)).reshape(shape)


def pixels(*shape: int, seed: int = 0) -> Any:
    """uint8 images."""
    return ((noise(*shape, seed=seed) + 1) * 127.5).astype(np.uint8)


def labels(count: int, classes: int) -> Any:
    return (np.arange(count) * 7 % classes).astype(np.int64)


# --- networks ------------------------------------------------------------------------------------


def lenet5() -> Any:
    from striate import Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU

    layers = [
        *(Conv2D(6, 5, padding=2), ReLU(), MaxPool2D(2)),
        *(Conv2D(16, 5), ReLU(), MaxPool2D(2)),
        *(Flatten(), Dense(120), ReLU(), Dense(84), ReLU(), Dense(10)),
    ]
    return Network(layers, (28, 28, 1), seed=None)


def keras_convnet() -> Any:
    from striate import Conv2D, Dense, Dropout, Flatten, MaxPool2D, Network, ReLU

    layers = [
        *(Conv2D(32, 3), ReLU(), MaxPool2D(2)),
        *(Conv2D(64, 3), ReLU(), MaxPool2D(2, uncovered="drop")),
        *(Flatten(), Dropout(0.5), Dense(10)),
    ]
    return Network(layers, (28, 28, 1), seed=None)


def resnet20() -> Any:
    from striate import Add, BatchNorm, Conv2D, Dense, GlobalAvgPool2D, Input, Network, ReLU

    def normalised(x: Any, filters: int, size: int, stride: int) -> Any:
        fit = "error" if stride == 1 else "drop"
        layer = Conv2D(filters, size, stride=stride, padding=size // 2, bias=False, uncovered=fit)
        return BatchNorm()(layer(x))

    image = Input((32, 32, 3))
    x = ReLU()(normalised(image, 16, 3, 1))
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            stride = 2 if stage and not block else 1
            y = normalised(ReLU()(normalised(x, filters, 3, stride)), filters, 3, 1)
            short = x if stride == 1 else normalised(x, filters, 1, stride)
            x = ReLU()(Add()(y, short))
    return Network(inputs=image, output=Dense(10)(GlobalAvgPool2D()(x)), seed=None)


def every_layer() -> Any:
    """A network with every kind of layer, most with all options, but those of `every_gate` and
    `every_window`.
    """
    from striate import layers as known
    from striate.layers import LAYERS, Input
    from striate.network import Network

    image = Input((19, 23, 3))
    x = known.Conv2D(12, (3, 5), stride=(1, 2), padding=(1, 0, 2, 2), uncovered="drop")(image)
    x = known.LeakyReLU(0.1)(x)
    x = known.BatchNorm()(x)
    left = known.Sigmoid()(known.Conv2D(12, 3, padding="same", groups=3)(x))
    right = known.Tanh()(known.Conv2D(12, 3, padding="same", dilation=2)(x))
    x = known.Concat()(known.Add()(left, right), x)
    x = known.AvgPool2D((2, 3), stride=2, padding="same")(x)
    x = known.SumPool2D(2, stride=1)(x)
    x = known.Scale(0.125)(x)
    x = known.MaxPool2D(3, stride=2, padding=1, uncovered="drop")(x)
    x = known.ReLU()(known.LocallyConnected2D(8, 2)(x))
    middle = known.Flatten()(x)
    middle = known.GroupedDense(24, 4)(known.Dropout(0.25)(middle))
    whole = known.GlobalAvgPool2D()(known.Conv2D(24, 1)(x))
    network = Network(
        inputs=image, output=known.Dense(7)(known.ReLU()(known.Add()(middle, whole))), seed=None
    )
    nodes = (*network.nodes, *every_gate().nodes, *every_window().nodes)
    missing = set(LAYERS) - {type(vertex.layer).__name__ for vertex in nodes}
    if missing:
        raise SystemExit(f"no network has {sorted(missing)}: add them to one")
    return network


def every_gate() -> Any:
    """Products, choices of channels, normalised channels, and activations with a step of their
    own.
    """
    from striate import layers as known
    from striate.layers import Input
    from striate.network import Network

    image = Input((15, 17, 3))
    x = known.SiLU()(known.BatchNorm()(known.Conv2D(24, 3, padding=1)(image)))
    gate = known.PReLU()(known.Dense(6)(known.GlobalAvgPool2D()(x)))
    gate = known.Sigmoid()(known.Dense(24)(gate))
    mask = known.HardSigmoid(0.2)(known.Conv2D(1, 3, padding=1)(x))
    x = known.HardSwish()(known.Multiply()(x, gate, mask))
    y = known.GELU()(known.Conv2D(36, 1)(known.LayerNorm()(known.ChannelSlice(0, 20)(x))))
    y = known.GELU("tanh")(known.Affine()(known.Conv2D(12, (1, 3), padding="same")(y)))
    x = known.Concat()(known.ELU(0.5)(y), known.ChannelSlice(2, 24, 2)(x), y)
    x = known.ChannelShuffle(5)(x)
    x = known.Mish()(known.Conv2D(16, 1)(known.LRN(4, 0.25)(x)))
    x = known.Clip(-1.0, 1.5)(known.Affine(shift=False)(known.MaxPool2D(3, stride=2)(x)))
    x = known.PReLU(shared=True)(known.ReLU6()(known.Conv2D(8, 2, stride=2, uncovered="drop")(x)))
    return Network(inputs=image, output=known.Dense(5)(known.Flatten()(x)), seed=None)


def every_window() -> Any:
    """Transposed convolutions, borders that are padding and that are not, crops, pooling that is
    dilated or hangs over.
    """
    from striate import layers as known
    from striate.layers import Input
    from striate.network import Network

    image = Input((14, 17, 3))
    x = known.Conv2D(12, 3, stride=2, uncovered="drop")(known.ZeroPad2D((2, 0, 1, 3))(image))
    x = known.ReLU()(x)
    up = known.ConvTranspose2D(9, (3, 2), stride=2, padding=(1, 0, 0, 1), output_padding=1)(x)
    up = known.Tanh()(up)
    same = known.ConvTranspose2D(12, 3, padding=1, dilation=1, groups=3, bias=False)(x)
    y = known.Add()(x, same)
    largest = known.MaxPool2D((2, 3), stride=2, uncovered="overhang")(known.ZeroPad2D(1)(y))
    means = known.AvgPool2D(3, stride=2, padding=1, count_padding=True, uncovered="overhang")(y)
    sums = known.SumPool2D(2, dilation=(2, 1), stride=1)(known.Crop2D((0, 1, 2, 0))(y))
    values = (
        known.Flatten()(known.GlobalMaxPool2D(keepdims=True)(up)),
        known.Flatten()(known.GlobalAvgPool2D(keepdims=True)(largest)),
        known.GlobalMaxPool2D()(means),
        known.Flatten()(known.Scale(0.25)(sums)),
    )
    return Network(inputs=image, output=known.Dense(5)(known.Concat()(*values)), seed=None)


def started(network: Any) -> Any:
    """The network with weights and preprocessing that are the same everywhere."""
    from striate import Preprocessing

    for index, slot in enumerate(network.slots):
        part = network.flat[slot.start : slot.stop]
        if slot.parameter.initial in ("zeros", "ones"):
            part[:] = np.float32(slot.parameter.initial == "ones")
        else:
            scale = np.float32(2.0) ** -round(np.log2(slot.parameter.fan_in + 1) / 2)
            part[:] = scale * noise(part.size, seed=index + 1)
    for slot in network.state_slots:
        network.state_flat[slot.start : slot.stop] = slot.parameter.initial == "ones"
    channels = network.input_shape[-1]
    network.preprocessing = Preprocessing(mean=(128.0,) * channels, std=(64.0,) * channels)
    return network


def network_case(
    build: Callable[[], Any], images: int, batch_size: int, **options: Any
) -> Callable[[], Iterator[tuple[str, str]]]:
    """Weights and statistics after three epochs, and outputs of both ways to predict."""

    def run() -> Iterator[tuple[str, str]]:
        network = started(build())
        shape, classes = network.input_shape, network.output_shape[0]
        x, y = pixels(images, *shape), labels(images, classes)
        network.fit(
            x,
            y,
            epochs=3,
            batch_size=batch_size,
            learning_rate=2.0**-7,
            schedule="constant",
            seed=3,
            threads=2,
            progress=False,
            **options,
        )
        yield "weights", bits_of(network.flat, network.state_flat)
        yield "outputs", bits_of(network.predict_logits(x[:37], threads=2, batch_size=16))
        yield "exact", bits_of(network.predict_logits(x[:5], threads=1, exact=True))
        yield "compiled 1", bits_of(network.compile(batch_size=1, threads=2)(x[:1]))
        yield "compiled 16", bits_of(network.compile(batch_size=16, threads=2)(x[:16]))

    return run


# --- filters, signals, reports -------------------------------------------------------------------


def filters() -> Iterator[tuple[str, str]]:
    import striate

    image = pixels(123, 157, 3, seed=5)
    for kernel in ("laplace", "mean5", "sobel-magnitude", "gaussian", "sharpen", "emboss"):
        yield kernel, bits_of(striate.filter_image(image, kernel))
    chain = striate.filter_image(image[..., 0], ["mean3", "laplace"], border="wrap", offset=128)
    yield "a chain", bits_of(chain)
    signal, taps = noise(10_007, seed=6), noise(31, seed=7)
    for border in ("fill", "nearest", "reflect", "mirror", "wrap"):
        result = striate.convolve(signal, taps, "same", border=border, method="direct")
        yield f"signal, {border}", bits_of(result)
    plane, window = noise(61, 83, seed=8).astype(np.float64), noise(5, 7, seed=9)
    for method in ("direct", "numpy"):  # not by transforms or ranks, which libraries find
        result = striate.correlate(plane, window, "valid", stride=(1, 2), method=method)
        yield f"plane, {method}", bits_of(result)
    yield "box", bits_of(striate.convolve(plane, np.ones((9, 9)), "same", method="box"))
    whole = (noise(999, seed=10) * 100).astype(np.int32)
    yield "integers", bits_of(striate.convolve(whole, whole[:17], dilation=3))


def reports() -> Iterator[tuple[str, str]]:
    import re

    import striate

    network = started(lenet5())
    network.classes = [f"class {i}" for i in range(10)]
    images, truth = pixels(40, 28, 28, 1, seed=11), labels(40, 10)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        striate.report(network, images, truth, path=path, choose=3, threads=2)
        page = path.read_text(encoding="utf-8")
    data = re.findall(r"<script[^>]*application/json[^>]*>(.*?)</script>", page, re.DOTALL)
    if not data:
        raise SystemExit("the report holds no JSON")
    yield "numbers of a page", hashlib.sha256("".join(data).encode()).hexdigest()[:32]


CASES: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
    "LeNet-5": network_case(lenet5, 80, 32),
    "Keras' convnet": network_case(keras_convnet, 64, 32, optimizer="sgd"),
    "ResNet-20": network_case(resnet20, 40, 16),
    "every layer": network_case(every_layer, 50, 16),
    "every gate": network_case(every_gate, 50, 16),
    "every window": network_case(every_window, 50, 16),
    "filters": filters,
    "reports": reports,
}


# --- widths --------------------------------------------------------------------------------------


def narrowed(vector_bytes: int) -> Any:
    """This processor with vectors of so many bytes; None if it has no such vectors."""
    from striate.nest.target import host

    here = host()
    if not here.is_x86 or here.vector_bytes < vector_bytes or not here.fused:
        return None
    return here.narrowed(vector_bytes, 32 if vector_bytes == 64 else 16)


def of_width(vector_bytes: int, wanted: list[str]) -> dict[str, dict[str, str]]:
    """The hashes of some cases, computed in a process of their own; {} where it is not possible."""
    command = [sys.executable, __file__, "--width", str(vector_bytes), *wanted]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep what is computed")
    parser.add_argument("--width", type=int, help="compute for this width only, and print")
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; default: all")
    options = parser.parse_args()
    wanted = options.cases or list(CASES)
    if options.width:
        from striate.nest.target import as_host

        target = narrowed(options.width)
        if target is None:
            print("{}")
            return 0
        with as_host(target):
            print(json.dumps({name: dict(CASES[name]()) for name in wanted}))
        return 0
    found = {str(width): of_width(width, wanted) for width in WIDTHS}
    if options.write:
        KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return 0
    kept, wrong = json.loads(KEPT.read_text(encoding="utf-8")), 0
    for width, cases in found.items():
        for case, hashes in cases.items():
            for name, value in hashes.items():
                same = kept[width][case].get(name) == value
                wrong += not same
                print(f"{width} bytes, {case}, {name}: {'same' if same else 'OTHER BITS'}")
    print(f"{wrong} of {sum(len(h) for c in found.values() for h in c.values())} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
