"""State dicts of PyTorch, read without running what the file says."""

from __future__ import annotations

import collections
import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.importing.torch_state_file import TorchStateFileError, read_torch_state

torch = pytest.importorskip("torch")
FORMS = (True, False)  # an archive, or pickles one after the other


def some_state() -> dict[str, Any]:
    torch.manual_seed(3)
    whole = torch.randn(4, 6)
    return {
        "conv.weight": torch.randn(5, 3, 2, 1).to(memory_format=torch.channels_last),
        "transposed": whole.t(),
        "part": whole[1:3, 2:],  # of the same storage
        "half": torch.randn(7).half(),
        "double": torch.randn(2, 3).double(),
        "tracked": torch.tensor(12345678901),
        "flags": torch.tensor([True, False]),
        "bytes": torch.arange(3, dtype=torch.uint8),
        "empty": torch.zeros(0, 4),
        "parameter": torch.nn.Parameter(torch.randn(3)),
    }


def saved(path: Path, state: Any, archive: bool) -> Path:
    torch.save(state, path, _use_new_zipfile_serialization=archive)
    return path


@pytest.mark.parametrize("archive", FORMS)
@pytest.mark.parametrize("kind", [dict, collections.OrderedDict])
def test_all_tensors_have_the_bits_that_were_saved(
    tmp_path: Path, archive: bool, kind: Any
) -> None:
    state = kind(some_state())
    found = read_torch_state(saved(tmp_path / "s.pth", state, archive))
    assert list(found) == list(state)
    for name, tensor in state.items():
        expected = tensor.detach().numpy()
        assert found[name].dtype == expected.dtype and found[name].shape == expected.shape
        np.testing.assert_array_equal(found[name], expected)


@pytest.mark.parametrize("archive", FORMS)
def test_a_modules_state_with_its_versions_and_a_checkpoint_around_it(
    tmp_path: Path, archive: bool
) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    state = module.state_dict()  # an OrderedDict with an attribute
    for given_state in (state, {"state_dict": state, "epoch": 3}):
        found = read_torch_state(saved(tmp_path / "s.pth", given_state, archive))
        assert set(found) == set(state)
        np.testing.assert_array_equal(found["0.weight"], state["0.weight"].numpy())


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch evil",)


@pytest.mark.parametrize("archive", FORMS)
@pytest.mark.parametrize(
    "state", [{"w": Evil()}, {"w": torch.nn.ReLU()}, {"w": slice(3)}, {"w": 1.5}, {}, [1], "text"]
)
def test_nothing_is_run_and_what_is_no_tensor_is_refused(
    tmp_path: Path, archive: bool, state: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path / "s.pth", state, archive)
    with pytest.raises(TorchStateFileError, match=r"s\.pth: ") as caught:
        read_torch_state(path)
    assert len(str(caught.value)) <= 500 and not (tmp_path / "evil").exists()


@pytest.mark.parametrize("archive", FORMS)
def test_damaged_files_are_one_sentence(tmp_path: Path, archive: bool) -> None:
    whole = saved(tmp_path / "s.pth", some_state(), archive).read_bytes()
    path = tmp_path / "bad.pth"
    for end in (0, 1, 4, 30, 200, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:end])
        with pytest.raises(TorchStateFileError, match=r"bad\.pth: "):
            read_torch_state(path)
    with pytest.raises(TorchStateFileError, match="no such file"):
        read_torch_state(tmp_path / "none.pth")


@given(st.data())
def test_changed_bytes_raise_nothing_else(tmp_path_factory: Any, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("changed")
    archive = data.draw(st.booleans())
    content = bytearray(saved(folder / "s.pth", some_state(), archive).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "s.pth").write_bytes(content)
    try:
        read_torch_state(folder / "s.pth")
    except TorchStateFileError as error:
        assert len(str(error)) <= 500


def archive_of(pickled: bytes, storages: dict[str, bytes], path: Path, deflated: bool) -> Path:
    kind = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as file:
        file.writestr("s/data.pkl", pickled)
        for key, content in storages.items():
            file.writestr(f"s/data/{key}", content)
    return path


def tensor(shape: tuple[int, ...], strides: tuple[int, ...], offset: int, count: int) -> bytes:
    """A pickle of {"w": tensor} whose numbers may be anything, of the storage "0"."""

    class Storage:
        pass

    class Tensor:
        def __reduce__(self) -> Any:
            return torch._utils._rebuild_tensor_v2, (Storage(), offset, shape, strides, False, None)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            if isinstance(value, Storage):
                return ("storage", torch.FloatStorage, "0", "cpu", count)
            return None

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump({"w": Tensor()})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("shape", "strides", "offset", "count"),
    [
        ((2, 3), (3, 1), 1, 6),  # one number beyond
        ((2, 3), (3, 1), -1, 6),
        ((2, 3), (-3, 1), 3, 6),
        ((2, 3), (3, 1), 0, 7),  # more than there are
        ((2,), (3, 1), 0, 6),
        ((10**12,), (0,), 0, 6),  # one number, claimed to be very many
        ((-1, 3), (3, 1), 0, 6),
    ],
)
def test_claims_that_the_storage_does_not_bear_out(
    tmp_path: Path, shape: Any, strides: Any, offset: int, count: int
) -> None:
    storage = {"0": np.arange(6, dtype="<f4").tobytes()}
    path = archive_of(tensor(shape, strides, offset, count), storage, tmp_path / "s.pth", False)
    with pytest.raises(TorchStateFileError, match=r"s\.pth: "):
        read_torch_state(path)
    good = archive_of(tensor((2, 3), (3, 1), 0, 6), storage, tmp_path / "good.pth", False)
    np.testing.assert_array_equal(read_torch_state(good)["w"], np.arange(6.0).reshape(2, 3))
    packed = archive_of(tensor((2, 3), (3, 1), 0, 6), storage, tmp_path / "packed.pth", True)
    with pytest.raises(TorchStateFileError, match="compressed"):
        read_torch_state(packed)
