"""Weights from a file that PyTorch's `torch.save` wrote of a state dict, without PyTorch.

Such a file holds a pickle, which is a program: run by `pickle` it may do anything.  Here it is not
run.  `pickletools` takes it apart into its instructions, and those few that describe a dict of
tensors are followed, with plain values; any other instruction, and any name that is none of a
tensor, is an error.

Both kinds of files are read: a zip archive (PyTorch 1.6 and later) with the pickle "data.pkl" and a
member "data/KEY" for the numbers of each storage; and the older one, pickles one after the other,
the numbers of all storages behind them, each preceded by their count.
"""

from __future__ import annotations

import io
import math
import pickletools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from striate.common.arrays import Array
from striate.common.budget import need
from striate.common.errors import StriateValueError
from striate.common.input_files import PathLike, read_bytes
from striate.common.text import cut, in_bytes, quoted, reason

MOST_BYTES = 2**32
"""Of a file of weights: networks here have fewer than 10⁹ numbers."""
_MOST_INSTRUCTIONS = 2_000_000
_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {
    "torch DoubleStorage": "<f8",
    "torch FloatStorage": "<f4",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ShortStorage": "<i2",
    "torch CharStorage": "<i1",
    "torch ByteStorage": "<u1",
    "torch BoolStorage": "|b1",
}
_DICT = "collections OrderedDict"
_TENSOR = "torch._utils _rebuild_tensor_v2"
_PARAMETER = "torch._utils _rebuild_parameter"


class TorchStateFileError(StriateValueError):
    """A file that cannot be read as a state dict: one sentence with its name."""


@dataclass(frozen=True)
class _Name:
    """A name that the pickle would import."""

    text: str


@dataclass(frozen=True)
class _Storage:
    """The numbers of one or more tensors: of `dtype`, `count` of them, kept under `key`."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class _Strided:
    """A tensor as a part of a storage; offset and strides count numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_state(path: PathLike) -> dict[str, Array]:
    """Return the tensors of a state dict by their names, as arrays of their own.

    Raises:
        TorchStateFileError: there is no such file, it is damaged, or it holds anything else than a
            dict of tensors on the processor.
    """
    content = read_bytes(path, "file of weights", most=MOST_BYTES, error=TorchStateFileError)
    return torch_state_of(str(path), content)


def torch_state_of(who: str, content: bytes) -> dict[str, Array]:
    """Return the tensors in the content of such a file; `who` names it in messages.

    Raises:
        TorchStateFileError: as `read_torch_state`.
    """
    try:
        if content[:4] == b"PK\x03\x04":
            return _of_archive(who, content)
        return _of_pickles(who, content)
    except TorchStateFileError:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, zipfile.BadZipFile) as error:
        raise TorchStateFileError(
            f"{who}: is damaged, or no state dict that PyTorch saved ({cut(reason(error), 200)}); "
            "take another copy, or save it anew by torch.save(module.state_dict(), path)"
        ) from error


def _of_archive(who: str, content: bytes) -> dict[str, Array]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        folder = name.removesuffix("data.pkl")
        claimed = sum(member.file_size for member in archive.infolist())
        if any(m.compress_type != zipfile.ZIP_STORED for m in archive.infolist()):
            raise ValueError("its members are compressed")
        if claimed > len(content):
            raise ValueError(f"its members claim {in_bytes(claimed)}")
        state = _PickleReader(who).follow(io.BytesIO(archive.read(name)))
        return _tensors(who, state, lambda s: archive.read(f"{folder}data/{s.key}"))


def _of_pickles(who: str, content: bytes) -> dict[str, Array]:
    file = io.BytesIO(content)
    if _PickleReader(who).follow(file) != _MAGIC:
        raise ValueError("it does not begin as such files do")
    _PickleReader(who).follow(file)  # the version of the format
    about = _PickleReader(who).follow(file)
    if not isinstance(about, dict) or about.get("little_endian") is not True:
        raise ValueError("its numbers are big-endian")
    state = _PickleReader(who).follow(file)
    keys = _PickleReader(who).follow(file)
    sizes = {tensor.storage.key: tensor.storage for tensor in _strided(who, state).values()}
    found: dict[str, bytes] = {}
    for key in keys:
        storage = sizes[key]  # one that no tensor is in has an unknown size
        head = file.read(8)
        if len(head) < 8 or int.from_bytes(head, "little") != storage.count:
            raise ValueError(f"the storage {key} has another size than it should")
        found[key] = file.read(storage.count * np.dtype(storage.dtype).itemsize)
    return _tensors(who, state, lambda storage: found[storage.key])


def _strided(who: str, state: Any) -> dict[str, _Strided]:
    """The tensors of a state dict, which may be wrapped as the "state_dict" of a checkpoint."""
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not state:
        raise TorchStateFileError(f"{who}: holds no state dict; save module.state_dict()")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, _Strided):
            raise TorchStateFileError(
                f"{who}: {quoted(str(name))} is no tensor; save module.state_dict() alone"
            )
    return state


def _tensors(who: str, state: Any, numbers_of: Callable[[_Storage], bytes]) -> dict[str, Array]:
    """The arrays of a state dict."""
    tensors = _strided(who, state)
    total = sum(8 * math.prod(tensor.shape) for tensor in tensors.values())
    need(total, f"{who}: to hold its tensors", "take a smaller network", error=TorchStateFileError)
    return {name: _array(tensor, numbers_of(tensor.storage)) for name, tensor in tensors.items()}


def _array(tensor: _Strided, content: bytes) -> Array:
    storage = tensor.storage
    numbers: NDArray[Any] = np.frombuffer(content, storage.dtype)
    if len(numbers) != storage.count:
        raise ValueError(f"the storage {storage.key} is cut short")
    if len(tensor.shape) != len(tensor.strides) or min((*tensor.shape, *tensor.strides, 0)) < 0:
        raise ValueError(f"a tensor has the shape {tensor.shape} and strides {tensor.strides}")
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, numbers.dtype)
    last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if not 0 <= tensor.offset <= tensor.offset + last < len(numbers):
        raise ValueError(f"a tensor of shape {tensor.shape} reaches beyond its storage")
    strides = tuple(step * numbers.itemsize for step in tensor.strides)
    view = np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :], tensor.shape, strides, writeable=False
    )
    return view.copy()


class _PickleReader:
    """Follows the instructions of one pickle, with plain values."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def follow(self, file: BinaryIO) -> Any:
        """Return the value that a pickle describes; `file` is then behind it."""
        for number, (instruction, argument, _) in enumerate(pickletools.genops(file)):
            if number >= _MOST_INSTRUCTIONS:
                raise ValueError(f"its pickle has more than {_MOST_INSTRUCTIONS:,} instructions")
            if instruction.name == "STOP":
                return self.stack.pop()
            self._do(instruction.name, argument)
        raise ValueError("its pickle does not end")

    def _do(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO" | "FRAME":
                pass
            case ("BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE" | "SHORT_BINUNICODE"
                  | "SHORT_BINSTRING" | "BINFLOAT"):  # fmt: skip
                stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "EMPTY_TUPLE":
                stack.append(())
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "MARK":
                self.marks.append(len(stack))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "TUPLE":
                stack.append(tuple(self._since_mark()))
            case "APPENDS" | "APPEND":
                values = self._since_mark() if name == "APPENDS" else [stack.pop()]
                stack[-1].extend(values)
            case "SETITEMS" | "SETITEM":
                pairs = self._since_mark() if name == "SETITEMS" else self._popped(2)
                self._dict().update(zip(pairs[::2], pairs[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "GLOBAL":
                stack.append(_Name(argument))
            case "STACK_GLOBAL":
                stack.append(_Name(" ".join(self._popped(2))))
            case "BINPERSID":
                stack.append(self._storage(stack.pop()))
            case "REDUCE":
                called, arguments = self._popped(2)
                stack.append(self._called(called, arguments))
            case "BUILD":  # attributes of the dict, such as versions of modules
                stack.pop()
                self._dict()
            case _:
                self._refuse(f"the instruction {name}")

    def _since_mark(self) -> list[Any]:
        start = self.marks.pop()
        return self._popped(len(self.stack) - start)

    def _popped(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise ValueError("its pickle takes values that are not there")
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def _dict(self) -> dict[Any, Any]:
        if not isinstance(self.stack[-1], dict):
            raise TypeError("its pickle fills what is no dict")
        return self.stack[-1]

    def _storage(self, identity: Any) -> _Storage:
        kind, dtype, key, _, count, *_ = identity
        if kind != "storage" or not isinstance(dtype, _Name):
            raise ValueError("its pickle refers to something outside")
        if dtype.text not in _STORAGES:
            self._refuse(f"numbers of the kind {quoted(dtype.text)}")
        return _Storage(str(key), _STORAGES[dtype.text], int(count))

    def _called(self, called: Any, arguments: Any) -> Any:
        """What a call of a name with these arguments would make, if it is one that is known."""
        match called:
            case _Name(text) if text == _DICT and arguments == ():
                return {}
            case _Name(text) if text == _TENSOR:
                storage, offset, shape, strides, *_ = arguments
                if not isinstance(storage, _Storage):
                    raise TypeError("a tensor is in no storage")
                return _Strided(storage, int(offset), tuple(map(int, shape)),
                                tuple(map(int, strides)))  # fmt: skip
            case _Name(text) if text == _PARAMETER:
                return arguments[0]
            case _Name(text):
                self._refuse(f"a call of {quoted(text)}")
        raise TypeError("its pickle calls what has no name")

    def _refuse(self, what: str) -> NoReturn:
        raise TorchStateFileError(
            f"{self.who}: holds {cut(what, 120)}, and nothing that a file asks for is run; only "
            "state dicts are read: torch.save(module.state_dict(), path)"
        )
