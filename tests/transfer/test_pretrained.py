"""Trained weights from a package: the same outputs as in PyTorch, and nothing in it is run."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest

from striate.transfer import pretrained
from striate.transfer.backbone import find_backbone
from striate.transfer.pretrained import PRETRAINED, load_pretrained

NAME = "efficientnet-lite0"
SHARED = Path(__file__).resolve().parents[3] / "shared"

needs_package = pytest.mark.skipif(
    not pretrained.is_installed(NAME), reason="the package with the weights is not installed"
)


@needs_package
def test_every_weight_is_in_its_place() -> None:
    """By the sizes of all, and by the outputs of an ONNX file made of the same weights."""
    package = PRETRAINED[NAME].package
    sys.modules.pop(package, None)
    network = load_pretrained(NAME)
    assert package not in sys.modules
    state = pretrained.torch_state_of(*pretrained._checked_file(NAME, PRETRAINED[NAME]))
    sizes = sorted(a.size for n, a in state.items() if not n.endswith("num_batches_tracked"))
    assert sorted(a.size for a in [*network.parameters.values(), *network.state.values()]) == sizes
    assert network.preprocessing.mean == (127.0,) * 3
    assert find_backbone(NAME).features().output_shape == (1280,)
    file = SHARED / "models" / "efficientnet-lite0.onnx"
    if not file.is_file():
        pytest.skip(f"there is no {file}")
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3)).astype(np.float32)
    inputs = ((images - 127) / 128).transpose(0, 3, 1, 2)
    expected = np.concatenate(
        [session.run(None, {session.get_inputs()[0].name: image[None]})[0] for image in inputs]
    )
    found = network.predict_logits(images)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@needs_package
def test_a_file_that_is_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = PRETRAINED[NAME]
    folder = tmp_path / "another_package"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('run')")
    file = folder / known.file
    file.write_bytes(b"other")
    monkeypatch.syspath_prepend(str(tmp_path))
    values = {**vars(known), "package": "another_package"}
    monkeypatch.setitem(PRETRAINED, NAME, pretrained.Pretrained(**values))
    with pytest.raises(ValueError, match="is not the file of weights that striate knows"):
        load_pretrained(NAME)
    # Even with the right digest it is read as numbers only.
    values["sha256"] = hashlib.sha256(b"other").hexdigest()
    monkeypatch.setitem(PRETRAINED, NAME, pretrained.Pretrained(**values))
    with pytest.raises(ValueError, match="nothing that a file asks for is run"):
        load_pretrained(NAME)


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {**vars(PRETRAINED[NAME]), "package": "no_such_package"}
    monkeypatch.setitem(PRETRAINED, NAME, pretrained.Pretrained(**values))
    assert not pretrained.is_installed(NAME)
    with pytest.raises(ImportError, match=r"pip install 'striate\[pretrained\]'"):
        load_pretrained(NAME)
    with pytest.raises(ValueError, match="no pretrained network 'resnet'; known are"):
        load_pretrained("resnet")
