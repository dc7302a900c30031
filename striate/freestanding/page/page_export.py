"""A network as one page that classifies: it loads nothing, and runs from a file, on phones, too.

The page has the network as WebAssembly with its weights, and what the model's file says of images
and answers. A picture that is dropped, pasted, taken or drawn becomes the network's input by the
arithmetic of `striate.data.decode`, which web/ has in JavaScript; answers are those of
`striate.confidence`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.common.arrays import Array
from striate.common.atomic import write_atomically
from striate.common.errors import StriateValueError
from striate.common.page_parts import base64_text, policy_hash, script_data
from striate.common.templates import rendered
from striate.common.text import number, sizes
from striate.common.warn import warn_user
from striate.data.dataset import MAX_PIXELS, MODES
from striate.data.decode import WHITE
from striate.freestanding.exported import Exported
from striate.freestanding.page.page_texts import BARS, KINDS_OF_IMAGES, explained, lead
from striate.freestanding.wasm.wasm_export import loader, wasm_code
from striate.freestanding.weights.rounded_weights import Weights
from striate.model.rejection import ARRAYS, Rejection

if TYPE_CHECKING:
    from striate.model.model import Model

SCRIPTS = (
    "embedded.js",
    "resample.js",
    "pixels.js",
    "png.js",
    "decoding.js",
    "answers.js",
    "occlusion.js",
    "strokes.js",
    "classifier.js",
    "view.js",
    "pad.js",
    "camera.js",
    "app.js",
)
"""In the order in which they are put into the page, as one script with the network's own module."""

SMALL = 64
"""Pixels of the longer side up to which coloured images can be drawn, too."""
_NAME = "network"


def write_page(
    network: Model,
    path: Path,
    *,
    target: str | None,
    title: str | None,
    batch_size: int,
    weights: Weights = "float32",
) -> Exported:
    """Write the page.

    Args:
        network: the network.
        path: the file, which ends in .html; one that is there is replaced.
        target: None: all browsers run it.
        title: what the page is called; by default the file's name without its ending.
        batch_size: 1.
        weights: how they are stored.

    Raises:
        ValueError: the path is none of a page's; there is a target or another batch size; the
            network reads no images that are gray or coloured, or says no vector of them, its file
            asks for images by unknown rules, or it has layers that only the NumPy engine can
            compute.
        OSError: it cannot be written; what was at the path before is there still.
    """
    if target is not None:
        raise StriateValueError(
            f"export: a page runs in every browser; leave the target {target!r} out"
        )
    if batch_size != 1:
        raise StriateValueError(
            f"export: a page tells one picture at a time; leave the batch_size {batch_size!r} out"
        )
    if path.suffix.lower() not in (".html", ".htm"):
        raise StriateValueError(f"{path}: a page is an HTML file; give a name that ends in .html")
    if path.is_dir():
        raise StriateValueError(f"{path} is a folder; give the name of a file in it")
    if not path.absolute().parent.is_dir():
        raise StriateValueError(f"{path}: there is no folder {path.absolute().parent}")
    _check(network)
    found = _page(network, path.name, path.stem if title is None else title, weights)
    write_atomically(path, found.files.values())
    return found


def _page(network: Model, file: str, title: str, weights: Weights) -> Exported:
    """The page, as the only one of the files."""
    _warn_of_pixels(network)
    rejection = network.answers.rejection
    needs_features = rejection is not None and bool(ARRAYS[rejection.score])
    run = network.with_features() if needs_features else network.branch()
    code = wasm_code(run, _NAME, 1, weights)
    folder = files("striate.freestanding.page") / "web"
    script = "\n".join(
        [
            loader(run, _NAME, 1, code),
            *((folder / name).read_text("utf-8") for name in SCRIPTS),
        ]
    )
    style = (folder / "page.css").read_text("utf-8")
    settings = page_settings(network)
    values = {
        "version": _version(),
        "title": title,
        "lead": lead(network),
        "explained": list(explained(network)),
        "bars": BARS[network.answers.kind],
        "pad": settings["pad"],
        "light_ink": settings["lightInk"],
        "pen": pen_percent(network),
        "style": style,
        "style_hash": policy_hash(style),
        "script": script,
        "script_hash": policy_hash(script),
        "settings": script_data(settings),
        "modules": {
            kind: base64_text(zlib.compress(module, 9)) for kind, module in code.modules.items()
        },
        "weights": base64_text(code.weights),
    }
    text = rendered("striate.freestanding.page", "web/page.html", values)
    # Names may contain bytes that are not valid in any encoding.
    made = text.encode("utf-8", "backslashreplace")
    return Exported("page", title, "wasm32", {file: made}, code.figures, False, code.computed)


def page_settings(network: Model) -> dict[str, Any]:
    """What the scripts need to know of a network, JSON-able; see web/classifier.js."""
    height, width, channels = network.input_shape
    known, answers = network.preprocessing, network.answers
    resize = known.resize or {}
    maximum = float(resize.get("maximum", 255))
    cut_from = resize.get("cut_from")
    return {
        "wanted": {
            "height": height,
            "width": width,
            "channels": channels,
            "mode": resize.get("mode", "crop"),
            "cutFrom": None if cut_from is None else list(cut_from),
            "downFirst": goes_down_first(),
        },
        "maximum": maximum,
        "white": int(resize.get("white", WHITE)),
        "maxPixels": MAX_PIXELS,
        "names": _names(network),
        "answers": {
            "kind": answers.kind,
            "temperature": answers.temperature,
            "thresholds": list(answers.thresholds),
        },
        "rejection": None if answers.rejection is None else _rejection(answers.rejection),
        "pad": channels == 1 or max(height, width) <= SMALL,
        # Digits are light on dark where most of their pixels are dark.
        "lightInk": known.is_identity or float(np.mean(known.mean)) < maximum / 2,
    }


def pen_percent(network: Model) -> int:
    """How wide a pen is at first, in percent of the shorter side: about as digits are written for
    networks of 28 pixels, but more than a pixel.
    """
    return max(10, round(140 / min(network.input_shape[:2])))


def goes_down_first() -> bool:
    """Whether Pillow, when it makes images smaller, begins with the height where that loses twice
    as many pixels as the width.

    It does from version 13 on, and as each of its two passes rounds, the pixels then differ by 1.
    """
    from PIL import Image

    bilinear = Image.Resampling.BILINEAR
    noise = np.random.default_rng(0).integers(0, 256, (40, 12), dtype=np.uint8)
    image = Image.fromarray(noise)
    at_once = image.resize((11, 10), bilinear)
    down_first = image.resize((12, 10), bilinear).resize((11, 10), bilinear)
    return bool(np.array_equal(np.asarray(at_once), np.asarray(down_first)))


def _check(network: Model) -> None:
    shape = network.input_shape
    if len(shape) != 3 or shape[2] not in KINDS_OF_IMAGES:
        raise StriateValueError(
            f"export: a page shows pictures to a network of gray or coloured images, (height, "
            f"width, 1 or 3), and this one reads {sizes(shape)}; export it as wasm"
        )
    if len(network.output_shape) != 1:
        raise StriateValueError(
            f"export: a page tells classes, labels or numbers, and the outputs of this network are "
            f"{sizes(network.output_shape)}, an image; export it as wasm"
        )
    resize = network.preprocessing.resize or {}
    mode, white = resize.get("mode", "crop"), resize.get("white", WHITE)
    if mode not in MODES or not isinstance(white, int) or not 0 < white <= WHITE:
        raise StriateValueError(
            f"export: the network asks for images by unknown rules: {mode!r}, white is {white!r}"
        )


def _warn_of_pixels(network: Model) -> None:
    """Warn of a network that was trained on much smaller numbers than pictures have."""
    known = network.preprocessing
    maximum = float((known.resize or {}).get("maximum", 255))
    mean, std = np.array(known.mean), np.array(known.std)
    # Networks of old take only the mean of pixels: then no deviation tells the scale.
    if known.is_identity or std.max() > maximum / 20 or ((std == 1).all() and (mean > 1).all()):
        return
    warn_user(
        f"pictures hold numbers from 0 to {number(maximum)}, but the network was trained on images "
        f"with a mean of {number(float(mean.mean()))} and a deviation of "
        f"{number(float(std.mean()))} (its preprocessing): give it resize with their "
        '"maximum", such as 1, or the answers mean nothing'
    )


def _names(network: Model) -> Sequence[str]:
    names = network.classes or network.answers.names
    return list(names or map(str, range(network.output_shape[0])))


def _rejection(rejection: Rejection) -> dict[str, Any]:
    return {
        "score": rejection.score,
        "threshold": rejection.threshold,
        "distances": _floats(rejection.distances),
        "arrays": {
            name: {"shape": list(array.shape), "data": _floats(array)}
            for name, array in rejection.arrays.items()
        },
    }


# --- embedding -----------------------------------------------------------------------------------


def _floats(array: Array) -> str:
    return base64_text(np.ascontiguousarray(array, dtype="<f4").tobytes())


def _version() -> str:
    from striate.common.version import __version__

    return __version__
