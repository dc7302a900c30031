"""Forward passes against ONNX Runtime, OpenVINO and PyTorch, each in all of its ways.

Batch normalisation uses running statistics. ONNX Runtime optimises the graph fully and runs with
its input and output bound; OpenVINO runs the whole batch at once, on all threads ("latency"), and
in parts side by side, each on a thread of its own ("throughput").
"""

from __future__ import annotations

import gc
import io
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import partial
from typing import Any

import in_pytorch
import numpy as np
import torch
from contest import Cases, Run, Setting, contest, difference, uses_winograd
from networks import CASES, Case, images_for, with_statistics, work
from report import OURS, Row

from striate.network import Network

BARS = {1: 1.0, 64: 1.3, 256: 1.3}
TOLERANCE = 2e-4
OPSET = 18

Ways = Iterator[tuple[str, Run]]


def cases(setting: Setting) -> Cases:
    """Each network at each batch size."""
    for case in CASES:
        for batch, bar in BARS.items():
            yield f"{case.name}, {batch}", partial(measure, case, batch, bar, setting)


def measure(case: Case, batch: int, bar: float, setting: Setting) -> list[Row]:
    """One row."""
    network = with_statistics(case.build())
    model = in_pytorch.load(in_pytorch.MODULES[case.name](), network)
    row = Row("inference", "", f"{case.name}, batch {batch}", bar=bar)
    return [against_peers(row, network, model, images_for(case, batch), setting)]


def against_peers(
    row: Row, network: Network, model: torch.nn.Module, images: np.ndarray, setting: Setting
) -> Row:
    """The row with times of a network and of the same one in PyTorch, and what others make of it.

    All are called with the same images, (count, height, width, channels), and first compared.
    """
    ours = network.compile(batch_size=len(images), threads=setting.threads)
    expected = np.array(ours(images))
    first = in_pytorch.channels_first(images)
    model.eval()
    runs: dict[str, Run] = {OURS: partial(ours, images)}
    notes: list[str] = []
    largest = 0.0
    for name, ways in (
        ("PyTorch", partial(in_pytorch.inference_ways, model, first, setting.compile)),
        ("ONNX Runtime", partial(_onnxruntime, model, first, setting.threads)),
        ("OpenVINO", partial(_openvino, model, first, setting.threads)),
    ):
        try:
            found = dict(ways())
        except ImportError as error:
            notes.append(f"{name} was not run: {error}")
            continue
        for way, run in found.items():
            largest = max(largest, difference(way, expected, run(), TOLERANCE))
        runs |= found
    row = replace(row, difference=largest, notes=tuple(notes), winograd=uses_winograd(ours))
    done = contest(row, runs, setting, flops=2.0 * len(images) * work(network))
    runs.clear()
    torch.compiler.reset()
    gc.collect()
    return done


def exported(model: torch.nn.Module, images: torch.Tensor) -> bytes:
    """The model as an ONNX file for exactly this batch size."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    said = io.StringIO()
    with warnings.catch_warnings(), redirect_stdout(said), redirect_stderr(said):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(model, (images,), opset_version=OPSET, dynamo=True)
    assert program is not None
    return program.model_proto.SerializeToString()


def _onnxruntime(model: torch.nn.Module, images: torch.Tensor, threads: int) -> Ways:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        exported(model, images), options, providers=["CPUExecutionProvider"]
    )
    (source,), (sink,) = session.get_inputs(), session.get_outputs()
    array = images.numpy()
    binding = session.io_binding()
    value = onnxruntime.OrtValue.ortvalue_from_numpy(array)
    (first,) = session.run(None, {source.name: array})
    result = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros_like(first))
    binding.bind_ortvalue_input(source.name, value)
    binding.bind_ortvalue_output(sink.name, result)

    def bound() -> Any:
        session.run_with_iobinding(binding)
        return result.numpy()

    yield "ONNX Runtime", lambda: session.run(None, {source.name: array})[0]
    yield "ONNX Runtime bound", bound


def _openvino(model: torch.nn.Module, images: torch.Tensor, threads: int) -> Ways:
    # Its telemetry would fork this process and send a message; without it, it does neither.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    core, array = openvino.Core(), images.numpy()

    def made(batch: torch.Tensor, **hints: Any) -> Any:
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            **hints,
        }
        return core.compile_model(core.read_model(exported(model, batch)), "CPU", settings)

    whole = made(images).create_infer_request()
    whole.set_input_tensor(openvino.Tensor(array, shared_memory=True))

    def latency() -> Any:
        whole.infer(share_inputs=True, share_outputs=True)
        return whole.get_output_tensor().data

    yield "OpenVINO latency", latency
    if len(array) % threads or threads == 1:
        return
    classes = latency().shape[1]
    part = len(array) // threads
    compiled = made(images[:part], PERFORMANCE_HINT="THROUGHPUT", NUM_STREAMS=threads)
    yield "OpenVINO throughput", _side_by_side(openvino, compiled, array, part, classes)


def _side_by_side(
    openvino: Any, compiled: Any, array: np.ndarray, part: int, classes: int
) -> Callable[[], Any]:
    """Parts of the batch, each in a request of its own."""
    requests, outputs = [], np.zeros((len(array), classes), np.float32)
    for start in range(0, len(array), part):
        request = compiled.create_infer_request()
        request.set_input_tensor(openvino.Tensor(array[start : start + part], shared_memory=True))
        sink = outputs[start : start + part]
        request.set_output_tensor(openvino.Tensor(sink, shared_memory=True))
        requests.append(request)

    def run() -> Any:
        for request in requests:
            request.start_async()
        for request in requests:
            request.wait()
        return outputs

    return run
