"""The numbers of an ONNX file: tensors inside it, and in files beside it."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from striate.common.arrays import Array
from striate.common.budget import need
from striate.common.input_files import open_input
from striate.common.text import in_bytes, reason
from striate.importing.operation_graph import OnnxFileError

if TYPE_CHECKING:
    from onnx import TensorProto


class TensorReader:
    """Reads the tensors of one ONNX file.

    Args:
        path: the file.

    Attributes:
        size: bytes of the weights that were read from other files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._ranges: dict[tuple[Path, int, int], bytes] = {}
        self._read: dict[Path, int] = {}

    def array(self, tensor: TensorProto) -> Array:
        """The numbers of a tensor.

        Raises:
            OnnxFileError: they are not as many as its shape says, or lie in a file that is not
                read.
        """
        from onnx import TensorProto, helper, numpy_helper

        who = f'{self.path}: the tensor "{tensor.name}"'
        shape = tuple(tensor.dims)
        if tensor.data_type == TensorProto.STRING:
            raise OnnxFileError(f"{who} holds texts; only numbers are read")
        if any(extent < 0 for extent in shape) or len(shape) > 32:
            raise OnnxFileError(f"{who} has the shape {shape}")
        try:
            dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
            if tensor.data_location != TensorProto.EXTERNAL:
                return numpy_helper.to_array(tensor)
            content = self._external(tensor, math.prod(shape) * dtype.itemsize, who)
            if tensor.data_type in _PLAIN:
                return np.frombuffer(content, dtype.newbyteorder("<")).reshape(shape)
            inside = TensorProto(dims=shape, data_type=tensor.data_type, raw_data=content)
            return numpy_helper.to_array(inside)
        except OnnxFileError:
            raise
        except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError) as error:
            numbers = math.prod(shape)
            raise OnnxFileError(
                f"{who} is damaged: it does not hold {numbers:,} numbers of its type"
                if 0 <= numbers < 10**15
                else f"{who} is damaged: its shape is far too large"
            ) from error

    def _external(self, tensor: TensorProto, count: int, who: str) -> bytes:
        """The bytes of a tensor in another file, which must lie in the folder of this one; `count`
        of them where the tensor does not say.
        """
        entries = {entry.key: entry.value for entry in tensor.external_data}
        file = self._located(entries.get("location", ""), who)
        offset = _number(entries.get("offset", "0"), "offset", who)
        with open_input(file, "file of weights", error=OnnxFileError) as opened:
            size = os.fstat(opened.fileno()).st_size
            length = _number(entries.get("length", str(count)), "length", who)
            if offset + length > size:
                raise OnnxFileError(
                    f"{who} lies at the bytes {offset:,} to {offset + length:,} of {file.name}, "
                    f"which has {size:,}: that file is truncated, or another one"
                )
            place = (file, offset, length)
            if place not in self._ranges:
                self._read[file] = self._read.get(file, 0) + length
                if self._read[file] > size:
                    raise OnnxFileError(
                        f"{who} overlaps with other tensors in {file.name}: together they have "
                        f"more than its {in_bytes(size)}"
                    )
                need(length, who, "it is too large for this machine", error=OnnxFileError)
                opened.seek(offset)
                self._ranges[place] = opened.read(length)
                self.size += length
            return self._ranges[place]

    def _located(self, location: str, who: str) -> Path:
        """The file of a location, relative to the folder of the ONNX file and inside it."""
        told = f"{who} names the file of its numbers {location!r}"
        parts = location.replace("\\", "/").split("/")
        if not location or location[0] in "/\\" or ":" in parts[0] or ".." in parts:
            raise OnnxFileError(f"{told}; only files in the folder of the ONNX file are read")
        try:
            folder = self.path.resolve().parent
            file = folder / location
            if not file.resolve().is_relative_to(folder):
                raise OnnxFileError(f"{told}, a link that leads out of the folder of the ONNX file")
        except (OSError, ValueError, RuntimeError) as error:
            if isinstance(error, OnnxFileError):
                raise
            raise OnnxFileError(f"{told}, which cannot be found: {reason(error)}") from error
        return file


# Of the types of NumPy's own: FLOAT, the whole numbers, BOOL, FLOAT16, DOUBLE.
_PLAIN = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13)


def _number(text: str, what: str, who: str) -> int:
    """An offset or length as a number."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise OnnxFileError(f"{who} has the {what} {text!r}, which is no number of bytes")
    return int(text)
