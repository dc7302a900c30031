"""What the fuzzer tries: for each kind of input how a case is made, and what is done with it.

A new format is one more entry of TARGETS: a function that makes the content of a file from a
`random.Random`, and one that reads the file and uses what it holds.
"""

from __future__ import annotations

import io
import json
import math
import os
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import seeds
from changes import (
    EXTREMES,
    WORDS,
    any_value,
    as_json,
    change_bytes,
    change_chunks,
    change_text,
    change_value,
    of_several,
)

Random = random.Random


@dataclass(frozen=True)
class Target:
    """A kind of input.

    Attributes:
        make: the content of a case.
        suffixes: one of them ends the file's name.
        use: reads the file, and uses it as the commands do. Whatever it raises besides the
            documented errors is a fault.
    """

    make: Callable[[Random], bytes]
    suffixes: tuple[str, ...]
    use: Callable[[Path], None]


# Models


def _header_and_data(content: bytes) -> tuple[Any, bytes]:
    """The two parts of a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _model(random: Random) -> bytes:
    content = seeds.model()
    if random.random() < 0.2:
        return change_bytes(random, content)
    header, data = _header_and_data(content)
    metadata = header["__metadata__"]
    if random.random() < 0.9:
        metadata.pop("checksum", None)
    match random.randrange(5):
        case 0:
            header = change_value(random, header)
        case 1:
            header["__metadata__"] = change_value(random, metadata)
        case 2 | 3:
            key = random.choice(("architecture", "classes", "preprocessing", "answers", "training"))
            changed = change_value(random, json.loads(metadata[key]))
            metadata[key] = as_json(random, changed).decode("utf-8", "replace")
        case _:
            data = change_bytes(random, data)
    text = as_json(random, header)
    claimed = random.choice(EXTREMES) % 2**64 if random.random() < 0.03 else len(text)
    return claimed.to_bytes(8, "little") + text + data


def _use_model(path: Path) -> None:
    from striate.model import files
    from striate.network import load
    from striate.reports.data import read_curves

    network = load(path)
    notes = files.information(path)
    read_curves(notes.get("history"))
    json.dumps(notes)
    str(network.summary())
    if network.parameter_count < 10**6 and sum(np.prod(v.shape) for v in network.nodes) < 10**6:
        images = np.zeros((1, *network.input_shape), np.uint8)
        if len(network.output_shape) == 1:
            network.predict_proba(images, engine="numpy")
            network.predict(images, engine="numpy")


def _checkpoint(random: Random) -> bytes:
    content = seeds.checkpoint()
    if random.random() < 0.5:
        return change_bytes(random, content)
    header, data = _header_and_data(content)
    if random.random() < 0.5:
        header = change_value(random, header)
    else:
        header["__metadata__"] = change_value(random, header["__metadata__"])
    text = as_json(random, header)
    return len(text).to_bytes(8, "little") + text + data


def _use_checkpoint(path: Path) -> None:
    from striate.training.checkpoint import Checkpoint

    network, given = seeds.trained_network(), Checkpoint(path, keep=True)
    network.fit(*seeds.TRAINED_ON, **seeds.training(), checkpoint=given, resume=True)


# Network files


def _network_json(random: Random) -> bytes:
    value: Any = seeds.NETWORK
    if random.random() < 0.5:
        layers = list(value["layers"])
        place = random.randrange(len(layers))
        layer = dict(layers[place])
        layer[random.choice([*layer, "size", "stride", "padding"])] = any_value(random)
        layers[place] = layer
        value = {**value, "layers": layers}
    else:
        value = change_value(random, value)
    return as_json(random, value)


def _network_toml(random: Random) -> bytes:
    if random.random() < 0.5:
        return change_text(random, seeds.toml(seeds.NETWORK))
    return seeds.toml(json.loads(_valid(_network_json, random))).encode("utf-8", "replace")


def _valid(make: Callable[[Random], bytes], random: Random) -> bytes:
    while True:
        content = make(random)
        try:
            if isinstance(json.loads(content), dict):
                return content
        except (ValueError, RecursionError):
            continue


def _use_network(path: Path) -> None:
    from striate.cli import networkfile

    network = networkfile.read(path).build(None, 3, seed=None)
    str(network.summary())


# NumPy's files


def _npy(random: Random) -> bytes:
    shape = random.choice(((5,), (3, 3), (6, 8, 9), (2, 3, 4, 1), ()))
    kind = random.choice(("f4", ">f8", "u1", "i8", "b", "c8", "U3", "S4"))
    content = seeds.npy(np.zeros(shape, kind), random.choice(((1, 0), (2, 0))))
    return _change_npy(random, content)


def _change_npy(random: Random, content: bytes) -> bytes:
    if random.random() < 0.4:
        return change_bytes(random, content)
    size = 2 if content[6] == 1 else 4
    length = int.from_bytes(content[8 : 8 + size], "little")
    head = content[8 + size : 8 + size + length].decode("latin-1")
    data = content[8 + size + length :]
    match random.randrange(6):
        case 0:
            extents = [random.choice(EXTREMES) for _ in range(random.choice((1, 2, 3, 4, 40)))]
            start = head.index("'shape'")
            head = head[:start] + f"'shape': {tuple(extents)}, }}\n"
        case 1:
            kinds = ("O", "V8", "U0", "S0", "M8[ns]", "f16", "x", ">u2", "[('a','i4')]")
            kind = random.choice(kinds)
            start = head.index("'fortran")
            head = f"{{'descr': '{kind}', " + head[start:]
        case 2:
            strange = ("(", "{", "", "1", "{'descr': (" * 50, "[" * 5000, "\0", "0" * 9000)
            head = random.choice(strange)
        case 3:
            head = change_bytes(random, head.encode("latin-1")).decode("latin-1")
        case 4:
            head = head.replace("False", random.choice(("True", "1", "None")))
        case _:
            data = change_bytes(random, data)
    text = head.encode("latin-1", "replace")
    claimed = len(text) if random.random() < 0.9 else random.choice(EXTREMES)
    claimed %= 2 ** (8 * size)
    return content[:8] + claimed.to_bytes(size, "little") + text + data


def _npz(random: Random) -> bytes:
    members = {"X": seeds.npy(seeds.IMAGES), "y": seeds.npy(seeds.LABELS)}
    if random.random() < 0.3:
        members |= {"X_test": members["X"], "y_test": members["y"]}
    if random.random() < 0.2:
        members["y"] = seeds.npy(np.array(list("abcabc")))
    key = random.choice(list(members))
    if random.random() < 0.7:
        members[key] = _change_npy(random, members[key])
    if random.random() < 0.15:
        members[random.choice(WORDS)] = members.pop(key)
    ending = "" if random.random() < 0.1 else ".npy"
    packed = random.choice(
        (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packed) as archive:
        for name, content in members.items():
            if name and "\0" not in name and "\ud800" not in name:
                archive.writestr(name + ending, content)
    content = file.getvalue()
    return change_bytes(random, content) if random.random() < 0.4 else content


def _use_npz(path: Path) -> None:
    from striate import data

    data.load(str(path))


def _use_signal(path: Path) -> None:
    from striate import recordings

    recordings.read(path)


def _use_kernel(path: Path) -> None:
    from striate import kernels

    kernels.read(path)


def _use_both(path: Path) -> None:
    from striate.common.errors import StriateError

    try:
        _use_kernel(path)
    except StriateError as error:
        check_message(str(error))
    _use_signal(path)


# IDX


def _idx(axes: int) -> Callable[[Random], bytes]:
    def make(random: Random) -> bytes:
        content = bytearray(seeds.idx(axes))
        if random.random() < 0.6:
            for _ in range(random.choice((1, 1, 2))):
                place = 4 + 4 * random.randrange(axes)
                content[place : place + 4] = (random.choice(EXTREMES) % 2**32).to_bytes(4, "big")
        else:
            content = bytearray(change_bytes(random, bytes(content)))
        if random.random() < 0.3:
            packed = zlib.compressobj(9, zlib.DEFLATED, 31)
            whole = packed.compress(bytes(content)) + packed.flush()
            return change_bytes(random, whole) if random.random() < 0.5 else whole
        return bytes(content)

    return make


def _use_idx(path: Path) -> None:
    from striate import data

    folder = path.parent / "idx"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    content = path.read_bytes()
    ending = ".gz" if content[:2] == b"\x1f\x8b" else ""
    images = content[3:4] == b"\x03" or (ending and len(content) > 60)
    changed, other = ("images-idx3", "labels-idx1") if images else ("labels-idx1", "images-idx3")
    (folder / f"train-{changed}-ubyte{ending}").write_bytes(content)
    (folder / f"train-{other}-ubyte").write_bytes(seeds.idx(1 if images else 3))
    data.load(str(folder))


# Images


def _image(random: Random) -> bytes:
    kind, mode = random.choice(seeds.IMAGE_KINDS)
    content = seeds.image(kind, mode)
    if kind == "PNG" and random.random() < 0.7:
        chunks = change_chunks(random, content, 8, ">", 4)
        if random.random() < 0.3 and chunks:
            name, body = chunks[0]
            sides = [random.choice(EXTREMES) % 2**32 for _ in range(2)]
            chunks[0] = (name, struct.pack(">II", *sides) + body[8:])
        written = b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in chunks
        )
        return content[:8] + written
    if kind == "BMP" and random.random() < 0.5:
        data = bytearray(content)
        place = random.choice((2, 10, 14, 18, 22, 28, 30, 34, 46))
        data[place : place + 4] = (random.choice(EXTREMES) % 2**32).to_bytes(4, "little")
        return bytes(data)
    if kind == "TIFF" and random.random() < 0.6:
        data = bytearray(content)
        first = int.from_bytes(data[4:8], "little")
        count = int.from_bytes(data[first : first + 2], "little")
        place = first + 2 + 12 * random.randrange(max(count, 1)) + random.choice((0, 2, 4, 8))
        number = random.choice((*EXTREMES, first, 8))
        data[place : place + 4] = (number % 2**32).to_bytes(4, "little")
        return bytes(data)
    return change_bytes(random, content)


def _use_image(path: Path) -> None:
    from striate import data, pictures
    from striate.common.errors import StriateError
    from striate.model.preprocessing import Preprocessing

    try:
        pictures.read_picture(path)
    except StriateError as error:
        check_message(str(error))
    resize = {"height": 8, "width": 8, "mode": "crop"}
    data.load_images([path], Preprocessing(colour="gray", resize=resize))


# Sounds and tables


def _wav(random: Random) -> bytes:
    content = seeds.wav(random.choice(("16-bit", "24-bit", "float")))
    if random.random() < 0.5:
        return change_bytes(random, content)
    chunks = change_chunks(random, content, 12, "<", 0, padded=True)
    body = b"".join(
        name
        + struct.pack("<I", random.choice(EXTREMES) % 2**32 if random.random() < 0.1 else len(part))
        + part
        + b"\0" * (len(part) % 2)
        for name, part in chunks
    )
    return content[:4] + struct.pack("<I", 4 + len(body)) + content[8:12] + body


# The command line


def _onnx(random: Random) -> bytes:
    """A model with bytes changed, or with fields of its nodes and tensors, or the layers that it
    says it was made of.
    """
    seed = random.choice((seeds.onnx(), seeds.own_onnx()))
    way = random.random()
    if way < 0.4:
        return change_bytes(random, seed.SerializeToString())
    model = type(seed)()
    model.CopyFrom(seed)
    for entry in model.metadata_props if way < 0.6 else ():
        if entry.key == "striate":
            changed = as_json(random, change_value(random, json.loads(entry.value)))
            entry.value = changed.decode("utf-8", "replace")
            return bytes(model.SerializeToString())
    for _ in range(random.randint(1, 4)):
        _change_message(random, model)
    try:
        return bytes(model.SerializeToString())
    except ValueError:  # a text that is none
        return change_bytes(random, seed.SerializeToString())


def _change_message(random: Random, message: Any) -> None:
    """Change one field somewhere in a protocol buffer."""
    while True:
        fields = message.ListFields()
        if not fields:
            return
        field, value = random.choice(fields)
        inner = field.message_type is not None
        if not inner:
            break
        several = hasattr(value, "append") or hasattr(value, "add")
        if several and random.random() < 0.2:
            what = random.choice(("double", "drop", "turn", "join"))
            copies = [type(one)() for one in value]
            for copy, one in zip(copies, value, strict=True):
                copy.CopyFrom(one)
            if what == "double":
                copies.append(random.choice(copies))
            elif what == "drop":
                copies.pop(random.randrange(len(copies)))
            elif what == "turn":
                random.shuffle(copies)
            else:
                copies[random.randrange(len(copies))].MergeFrom(random.choice(copies))
            message.ClearField(field.name)
            getattr(message, field.name).extend(copies)
            return
        message = random.choice(list(value)) if several else value
    several = not isinstance(value, int | float | str | bytes)
    place = random.randrange(len(value)) if several and len(value) else None
    old = value[place] if place is not None else value
    new: Any
    if isinstance(old, bytes):
        new = change_bytes(random, old)
    elif isinstance(old, str):
        new = random.choice([*WORDS, "Conv", "image", "d", "Loop", old[:-1]])
    else:
        new = random.choice([*EXTREMES, -1, 0, 1, 2, 3, old + 1])
    try:
        if place is not None:
            value[place] = new
        elif not several:
            setattr(message, field.name, new)
    except (ValueError, TypeError, OverflowError):
        pass  # a number that the field cannot hold


def _use_onnx(path: Path) -> None:
    from striate.importing.onnx_reader import read_onnx

    network = read_onnx(path).network
    if sum(math.prod(node.shape) for node in network.nodes) < 10**6:
        network.predict_logits(np.zeros((1, *network.input_shape), np.float32), engine="numpy")


def _options(random: Random) -> bytes:
    def number() -> str:
        return str(random.choice((*EXTREMES[:-1], 0.5, "nan", "inf", "-", "1e9", "3,3", "3x3", "")))

    def numbers() -> str:
        several = [number() for _ in range(random.choice((1, 2, 3)))]
        return random.choice((",", " ", ";", "x")).join(several)

    def value() -> str:
        return random.choice((number, numbers, lambda: random.choice(WORDS[:-8])))()

    commands: dict[str, list[str]] = {
        "size": ["--input", "--filter", "--stride", "--padding", "--dilation", "--output"],
        "convolve": ["-s", "-k", "--mode", "--origin", "--border", "--pad", "--column"],
        "gradients": ["--input", "--filter", "--stride", "--padding", "--seed", "--channels"],
        "derive": ["--image", "--neurons", "--filter", "--stride", "--padding", "--groups", "--on"],
        "summary": ["--input-shape", "--classes"],
        "filter": ["-k", "--size", "--border", "--out", "--amount", "--radius"],
        "stroke": ["--seed", "--on", "--epochs"],
        "inspect": ["--input-shape", "--classes", "--unit", "--layer"],
        "explain": ["--batch-size", "--threads", "--input-shape", "--classes"],
    }
    command = random.choice(list(commands))
    arguments = [command]
    if command == "stroke":
        arguments.append("--help" if random.random() < 0.5 else value())
    if command in ("summary", "inspect", "explain", "filter"):
        arguments.append(random.choice(("network.json", "model.safetensors", "image.png", value())))
    if command == "convolve" and random.random() < 0.8:
        arguments += ["-s", random.choice(("1,2,3,4,5", "noisy-sine", value()))]
        arguments += ["-k", random.choice(("mean3", "edge", "1 2 1", "gaussian(3)", value()))]
    if command == "filter" and random.random() < 0.8:
        arguments += ["-k", random.choice(("mean3", "gaussian", "sobel", "1 2 1; 2 4 2", value()))]
        arguments += ["--out", "out.png"]
    if command in ("size", "derive", "gradients") and random.random() < 0.6:
        arguments += {
            "size": ["--input", "10", "--filter", "3"],
            "derive": ["--image", "3x3", "--neurons", "16"],
            "gradients": ["--input", "3", "--filter", "2"],
        }[command]
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        arguments += [random.choice(commands[command]), value()]
    if random.random() < 0.3:
        arguments.append("--json")
    return json.dumps([word.replace("\0", "") for word in arguments]).encode()


def _use_options(path: Path) -> None:
    from striate.cli.app import run

    arguments = json.loads(path.read_bytes())
    folder = path.parent / "options"
    if not folder.is_dir():
        folder.mkdir()
        (folder / "network.json").write_text(json.dumps(seeds.NETWORK))
        (folder / "model.safetensors").write_bytes(seeds.model())
        (folder / "image.png").write_bytes(seeds.image("PNG", "RGB"))
    out, told, before = io.StringIO(), io.StringIO(), os.getcwd()
    os.chdir(folder)
    try:
        with redirect_stdout(out), redirect_stderr(told):
            code = run(arguments)
    finally:
        os.chdir(before)
    text = told.getvalue()
    if "Traceback" in text or code not in (0, 2):
        raise AssertionError(f"exit code {code}: {text[-1500:]}")
    if code == 2:
        check_message(text.rstrip("\n").rpartition("\n")[2])
    for stream in (out.getvalue(), text):
        if "\x1b" in stream:
            raise AssertionError("an escape reached the terminal")


def check_message(message: str) -> None:
    """Raise if a message is not one that a person can read."""
    if not 0 < len(message) <= 500 or "Errno" in message:
        raise AssertionError(f"a message of {len(message)} characters: {message[:1000]}")


TARGETS: dict[str, Target] = {
    "model": Target(_model, (".safetensors",), _use_model),
    "checkpoint": Target(_checkpoint, (".checkpoint",), _use_checkpoint),
    "network": Target(_network_json, (".json",), _use_network),
    "toml": Target(_network_toml, (".toml", ".TOML"), _use_network),
    "npz": Target(_npz, (".npz",), _use_npz),
    "npy": Target(_npy, (".npy",), _use_both),
    "idx": Target(of_several(_idx(3), _idx(1)), (".idx",), _use_idx),
    "image": Target(_image, (".png", ".jpg", ".tiff", ".gif"), _use_image),
    "wav": Target(_wav, (".wav",), _use_signal),
    "csv": Target(lambda random: change_text(random, seeds.CSV), (".csv", ".tsv"), _use_signal),
    "kernel": Target(
        of_several(
            lambda random: change_text(random, seeds.KERNEL),
            lambda random: change_text(random, seeds.KERNEL_CSV),
        ),
        (".txt", ".csv"),
        _use_kernel,
    ),
    "onnx": Target(_onnx, (".onnx",), _use_onnx),
    "options": Target(_options, (".args",), _use_options),
}
