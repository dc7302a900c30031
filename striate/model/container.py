"""Reading and writing safetensors files, which hold named float32 tensors and metadata as text.

Eight bytes give the length of a JSON object with each tensor's type, shape and place; then come
the tensors' bytes: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from striate.common import json_text
from striate.common.arrays import Floats
from striate.common.budget import need
from striate.common.errors import StriateValueError
from striate.common.input_files import open_input

# The largest header, which has the names and shapes of the tensors and the metadata: the limit of
# safetensors' own library.
_MOST_HEADER_BYTES = 100_000_000


class ModelFileError(StriateValueError):
    """A model file that cannot be read or written; the message names the file and says why."""


def chunks(
    tensors: Mapping[str, Floats], metadata: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a file with these tensors and metadata, piece by piece.

    It is written here because safetensors' own library orders metadata differently in each
    process, and the same model must always give the same bytes.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    position = 0
    for name, tensor in tensors.items():
        end = position + 4 * tensor.size
        header[name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data must begin at a multiple of 8 bytes
    yield len(text).to_bytes(8, "little")
    yield text
    for tensor in tensors.values():
        yield np.ascontiguousarray(tensor, dtype="<f4").tobytes()


class Container:
    """A safetensors file that has been read: its metadata, and its tensors on request.

    Args:
        path: the file.

    Attributes:
        metadata: text by name.

    Raises:
        ModelFileError: there is no such file, it is truncated, or it is not a safetensors file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self._data, end = _read(Path(path))
        header = _header(path, self._data[8:end])
        end += _data_bytes(header)
        if len(self._data) < end:
            _truncated(path, len(self._data), end)
        metadata = header.get("__metadata__", {})
        if not isinstance(metadata, dict):
            damaged(path, "its metadata are not a JSON object")
        for key, value in metadata.items():
            if not isinstance(value, str):
                damaged(path, f"its metadata {key!r} is not text")
        self.metadata: dict[str, str] = metadata

    def tensors(self) -> dict[str, Floats]:
        """Return the tensors by name.

        Raises:
            ModelFileError: the file is damaged, or has tensors that are not float32.
        """
        from safetensors import SafetensorError, deserialize

        try:
            entries = deserialize(self._data)
        except SafetensorError as error:
            damaged(self.path, f"as a safetensors file it is not valid ({error})", error)
        tensors: dict[str, Floats] = {}
        for name, entry in entries:
            if entry["dtype"] != "F32":
                damaged(self.path, f"{name} is stored as {entry['dtype']}; models hold F32 only")
            values = np.frombuffer(entry["data"], dtype="<f4")
            tensors[name] = values.reshape(entry["shape"])
        return tensors


def looks_like_a_model(path: str | Path) -> bool:
    """Return whether the file `path` begins as safetensors files do; OSError if unreadable."""
    with open_input(path, "model file", error=ModelFileError) as file:
        return _plausible(file.read(9))


def damaged(path: str | Path, why: str, cause: BaseException | None = None) -> NoReturn:
    """Raise the error for a model file whose content is not valid."""
    raise ModelFileError(f"{path}: is not a valid model file: {why}") from cause


def _plausible(start: bytes) -> bool:
    """Return whether a file may start like this: the length of a JSON object, then its "{"."""
    length = int.from_bytes(start[:8], "little")
    return len(start) == 9 and start[8:] == b"{" and 2 <= length <= _MOST_HEADER_BYTES


def _read(path: Path) -> tuple[bytes, int]:
    """Return the bytes of the file, and where its header ends."""
    with open_input(path, "model file", error=ModelFileError) as file:
        start = file.read(9)
        if not _plausible(start):
            _other_kind(path)
        size = os.fstat(file.fileno()).st_size
        end = 8 + int.from_bytes(start[:8], "little")
        if size < end:
            _truncated(path, size, end)
        # The bytes of the file, and its tensors.
        need(2 * size, f"{path}: this model", "it is too large", error=ModelFileError)
        return start + file.read(), end


def _header(path: str | Path, text: bytes) -> dict[str, Any]:
    try:
        header = json_text.parse(text)
    except ValueError as error:
        _other_kind(path, error)
    return header if isinstance(header, dict) else _other_kind(path)


def _data_bytes(header: Mapping[str, Any]) -> int:
    """Return how many bytes of data the header claims, ignoring what is not well-formed."""
    ends = [0]
    for entry in header.values():
        offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
        if isinstance(offsets, list) and offsets and isinstance(offsets[-1], int):
            ends.append(offsets[-1])
    return max(ends)


def _other_kind(path: str | Path, cause: BaseException | None = None) -> NoReturn:
    raise ModelFileError(f"{path}: is not a safetensors file, so not a model") from cause


def _truncated(path: str | Path, size: int, expected: int) -> NoReturn:
    raise ModelFileError(
        f"{path}: is truncated: it has {size:,} of the {expected:,} bytes that it should have"
    )
