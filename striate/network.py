"""`Network`: a model that trains, predicts, is saved and explained."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from striate.common.arguments import whole_number
from striate.common.arithmetic import unwatched
from striate.common.arrays import Array, Floats
from striate.common.fork import renewed_lock
from striate.common.imported_method import ImportedMethod
from striate.common.recent import Recent
from striate.layers import Input, Node
from striate.model.graph import Vertex
from striate.model.model import Model
from striate.model.parameters import Slot
from striate.model.preprocessing import Preprocessing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, DTypeLike

    from striate.confidence import answering
    from striate.data.network_images import NamedImages
    from striate.engines.engine import Engine
    from striate.exporting import onnx_export, torch_module
    from striate.freestanding import code_export
    from striate.inspect.summary import Summary
    from striate.optim.losses import Loss, LossFunction
    from striate.plan.inference import CompiledNetwork
    from striate.plan.measure import tune
    from striate.plan.measure.explanation import Explanation
    from striate.training import calibrating, learning_rate_finder, loop
    from striate.training.answers_evaluation import AnyEvaluation

MOST_ENGINES = 4
"""Engines that a network keeps for predictions, each for other options."""

__all__ = ["Input", "Network", "Node", "Slot", "Vertex", "load"]


def load(path: str | Path) -> Network:
    """Return the network in the model file `path`: see `striate.model.files.load`."""
    from striate.model import files

    return files.load(path, Network)


class Network(Model):
    """A convolutional network that predicts, trains, is saved and explained.

    A chain is a list of layers and the shape of its input; a graph is written with nodes:

        Network([Conv2D(8, 3), ReLU(), Flatten(), Dense(10)], input_shape=(28, 28, 1))

        x = image = Input((28, 28, 1))
        x = Add()(Conv2D(1, 3, padding="same")(x), x)
        Network(inputs=image, output=Dense(10)(Flatten()(x)))

    Sizes are checked at once. Layers are copied and named; they hold no numbers, so another network
    may have them too; in several places of one, a layer has the same parameters.

    Args:
        layers: the layers of a chain, each reading the one before.
        input_shape: (height, width, channels) or (features,), without the batch axis.
        inputs, output: instead, the first and last node of a graph.
        heads: auxiliary outputs, ``{"aux": (node, 0.3)}``, of the output's shape, trained on the
            same targets; the loss is multiplied by the weight and added to the output's.
        seed: of the initial parameters; None leaves them zero, to be loaded.

    Attributes:
        nodes: the layers in their places, inputs before readers; the last one is the output.
        parameters, state: arrays by name ("conv2d_1/filters"): what training learns, and batch
            normalisation's running statistics. Change them in place.
        preprocessing: how raw images become inputs.
        classes: class names in the order of the outputs, or None.
        heads: auxiliary outputs by name, each with its `node` (an index) and `weight`.
        frozen: the names of layers that training does not change: see `freeze`.
        kept_statistics: the names of batch normalisations that are trained on their running
            statistics: see `keep_statistics`.
        rates: what the learning rate is multiplied by, by the names of layers: see `set_rate`.
    """

    def _make_views(self) -> None:
        super()._make_views()
        self._lock = renewed_lock(self, "_lock")
        self._engines: Recent[Engine] = Recent(MOST_ENGINES, dropped=lambda engine: engine.close())

    def _replace_preprocessing(self, value: Preprocessing) -> None:
        with self._lock:
            super()._replace_preprocessing(value)
            self._engines.clear()  # they may have built in the old numbers

    def _set_frozen(self, names: frozenset[str]) -> None:
        with self._lock:
            super()._set_frozen(names)
            self._engines.clear()  # plans of gradients leave out what was frozen before

    def _set_kept_statistics(self, names: frozenset[str]) -> None:
        with self._lock:
            super()._set_kept_statistics(names)
            self._engines.clear()

    # Running.

    @unwatched
    def predict_logits(
        self,
        images: Array | NamedImages,
        *,
        engine: str = "llvm",
        threads: int | None = None,
        batch_size: int = 256,
        exact: bool = False,
        bfloat16: bool = False,
        portable: bool = False,
        views: str = "plain",
        head: str | None = None,
    ) -> Floats:
        """Outputs (n, *output_shape) for raw images (n, *input_shape).

        Images may also be named, as for `striate predict`: a file, a folder or a pattern, or a list
        of files and of pictures of Pillow; they are decoded and resized as `preprocessing` says.

        `exact` computes sums as they are written, without Winograd's algorithm; `bfloat16` lets
        convolutions multiply in bfloat16 where that is faster; `portable` adds in an order that is
        the same on all processors, as in `fit`.  `views` averages the outputs of
        several views of each image, which takes as many times as long: "mirrored" of it and its
        mirror image, "moved" of six (see `striate.engines.views`).  Safe to call from several
        threads at once; the calls then follow each other.

        The weights are read batch by batch: while `fit` runs in another thread, the batches of one
        call may see different ones.  For one moment's weights use `compile`, or `copy.deepcopy`.

        `head` names an auxiliary head whose outputs are computed, instead of the network's.

        Warns if the images are on another scale than those that the preprocessing was made for,
        such as 0…1 for 0…255.

        What is compiled is kept for `MOST_ENGINES` combinations of options, and few sizes of batch.
        """
        from striate.engines import make_engine
        from striate.engines.views import check_views, views_of
        from striate.model.image_arrays import raw_images
        from striate.plan.inputs import rounded_batch

        check_views(views, self.input_shape)
        named = _named(images)
        if named is not None:
            from striate.data.network_images import chunks

            again = partial(
                self.predict_logits,
                engine=engine,
                threads=threads,
                batch_size=batch_size,
                exact=exact,
                bfloat16=bfloat16,
                portable=portable,
                views=views,
                head=head,
            )
            return np.concatenate(
                [again(part) for part in chunks(named, self.preprocessing, self.input_shape)]
            )
        images = raw_images(self, cast("Array", images))
        batch_size = whole_number(batch_size, "batch_size", "Network")
        outputs = np.zeros((len(images), *self.output_shape), np.float32)
        with self._lock:
            size = rounded_batch(batch_size)
            key = (engine, threads, size, exact, bfloat16, portable, head)
            runner = self._engines.get(key)
            if runner is None:
                runner = make_engine(
                    self if head is None else self.branch(head),
                    engine,
                    batch_size=size,
                    threads=threads,
                    exact=exact,
                    bfloat16=bfloat16,
                    portable=portable,
                )
                self._engines.keep(key, runner)
            for start in range(0, len(images), batch_size):
                stop = start + batch_size
                for weight, view in views_of(images[start:stop], views):
                    outputs[start:stop] += weight * runner.forward(view)
        return outputs

    def compile(
        self,
        *,
        batch_size: int = 1,
        threads: int | None = None,
        exact: bool = False,
        bfloat16: bool = False,
        portable: bool = False,
        head: str | None = None,
        dtype: DTypeLike = np.float32,
    ) -> CompiledNetwork:
        """A function from up to `batch_size` images to outputs (those of `head`, if it names one),
        in as little time as can be: see striate.plan.inference.CompiledNetwork.  It keeps the
        weights of now.  Results differ from `predict_logits` by rounding only.
        """
        from striate.plan.inference import CompiledNetwork

        return CompiledNetwork(
            self.branch(head),
            batch_size=batch_size,
            threads=threads,
            exact=exact,
            bfloat16=bfloat16,
            portable=portable,
            dtype=dtype,
        )

    @unwatched
    def predict_proba(
        self,
        images: Array | NamedImages,
        *,
        engine: str = "llvm",
        threads: int | None = None,
        batch_size: int = 256,
        exact: bool = False,
        bfloat16: bool = False,
        portable: bool = False,
        views: str = "plain",
        head: str | None = None,
    ) -> NDArray[np.float64]:
        """Class probabilities (n, classes), float64: what `answers` makes of outputs, by default
        their softmax; the options are those of `predict_logits`.
        """
        from striate.confidence.finite_outputs import finite_outputs
        from striate.confidence.probabilities import probabilities

        logits = finite_outputs(
            self,
            images,
            engine=engine,
            threads=threads,
            batch_size=batch_size,
            exact=exact,
            bfloat16=bfloat16,
            portable=portable,
            views=views,
            head=head,
        )
        return probabilities(self.answers, logits)

    def evaluate(
        self,
        images: Array | NamedImages,
        labels: Array,
        *,
        engine: str = "llvm",
        threads: int | None = None,
        batch_size: int = 256,
        exact: bool = False,
        bfloat16: bool = False,
        portable: bool = False,
        views: str = "plain",
        head: str | None = None,
    ) -> AnyEvaluation:
        """Accuracy, confusion matrix, precision, recall: see `striate.training.evaluation`; of
        labels and numbers, see `label_evaluation` and `number_evaluation` beside it.

        Options are those of `predict_logits`.
        """
        from striate.confidence.finite_outputs import finite_outputs
        from striate.training.answers_evaluation import evaluate_answers

        named = _named(images)
        if named is not None:
            from striate.data.network_images import read_for_network

            images = read_for_network(named, self.preprocessing, self.input_shape)
        outputs_of = partial(
            finite_outputs,
            self,
            engine=engine,
            threads=threads,
            batch_size=batch_size,
            exact=exact,
            bfloat16=bfloat16,
            portable=portable,
            views=views,
            head=head,
        )
        return evaluate_answers(self, cast("Array", images), labels, outputs_of)

    def gradients(
        self,
        images: ArrayLike,
        labels: ArrayLike,
        *,
        loss: Loss | LossFunction | str | None = None,
        sample_weight: ArrayLike | None = None,
        seed: int = 0,
        engine: str = "llvm",
        threads: int | None = None,
        exact: bool = False,
    ) -> tuple[float, dict[str, Floats]]:
        """The loss of a batch and its gradients, for a training loop of one's own:

            loss, gradients = network.gradients(images, labels, seed=step)
            for name, gradient in gradients.items():
                network.parameters[name][...] -= 0.01 * gradient

        The pass is one of training, as each step of `fit` makes: batch normalisation uses the
        batch's statistics and updates the running ones, dropout drops by `seed`; the loss is the
        output's, plus those of auxiliary heads times their weights.  The preprocessing is used as
        it is; `fit` sets it by its training images if there is none.

        Args:
            images: raw, (n, *input_shape): the whole batch.
            labels, loss: as for `fit`.
            sample_weight: one weight per image, 0 or more; the loss is the weighted mean.
            seed: of dropout; give another one to each step.
            engine, threads, exact: as for `fit`.

        Returns:
            The loss, and float32 arrays by the names and of the shapes of `parameters`.

        Raises:
            ValueError, TypeError: the images or labels do not fit the network.
        """
        from striate.engines import make_engine
        from striate.optim.losses import computed_like
        from striate.plan.inputs import rounded_batch
        from striate.training import step_gradients

        def engine_for(criterion: Loss, count: int) -> Engine:
            size = rounded_batch(count)
            key = ("gradients", computed_like(criterion), engine, threads, size, exact)
            made = self._engines.get(key)
            if made is None:
                made = make_engine(
                    self, engine, batch_size=size, loss=criterion, threads=threads, exact=exact
                )
                self._engines.keep(key, made)
            made.loss = criterion  # another one, perhaps, that is computed in the same way
            return made

        with self._lock:
            return step_gradients.gradients(
                self,
                images,
                labels,
                loss=loss,
                sample_weight=sample_weight,
                seed=seed,
                engine_for=engine_for,
            )

    # Answers, training, measuring how this network is computed best, and files for other programs:
    # the functions themselves.
    if TYPE_CHECKING:
        predict = answering.predict
        distances = answering.distances
        calibrate = calibrating.calibrate
        fit = loop.fit
        find_learning_rate = learning_rate_finder.find_learning_rate
        tune = tune.tune
        to_onnx = onnx_export.to_onnx
        to_torch = torch_module.to_torch
        export = code_export.export
        load_torch = torch_module.load_torch
    else:
        predict = ImportedMethod("striate.confidence.answering", "predict")
        distances = ImportedMethod("striate.confidence.answering", "distances")
        calibrate = ImportedMethod("striate.training.calibrating", "calibrate")
        fit = ImportedMethod("striate.training.loop", "fit")
        find_learning_rate = ImportedMethod(
            "striate.training.learning_rate_finder", "find_learning_rate"
        )
        tune = ImportedMethod("striate.plan.measure.tune", "tune")
        to_onnx = ImportedMethod("striate.exporting.onnx_export", "to_onnx")
        to_torch = ImportedMethod("striate.exporting.torch_module", "to_torch")
        export = ImportedMethod("striate.freestanding.code_export", "export")
        load_torch = ImportedMethod("striate.exporting.torch_module", "load_torch")

    def save(self, path: str | Path) -> None:
        """Write weights, architecture, classes and preprocessing to one safetensors file."""
        from striate.model import files

        files.save(self, path)

    def summary(self) -> Summary:
        """A table of the layers: shapes, parameters, work, memory, receptive fields."""
        from striate.inspect.summary import summarise

        return summarise(self)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def explain(
        self,
        *,
        batch_size: int = 64,
        training: bool = True,
        threads: int | None = None,
        exact: bool = False,
        bfloat16: bool = False,
        portable: bool = False,
        measure: bool = False,
    ) -> Explanation:
        """What the compiled engine decides for a training step, or else for `compile`, and why:
        layers, kernels, memory.  With `measure` it is run too, to tell how fast each kernel is.

        ``print()`` it, or see striate.plan.measure.explanation for its parts.  Nothing is changed.
        """
        from striate.plan.measure.explain import explain
        from striate.plan.measure.trial import trial

        runner = trial(
            self,
            batch_size,
            training=training,
            threads=threads,
            exact=exact,
            bfloat16=bfloat16,
            portable=portable,
        )
        return explain(runner.plan, measure)

    # Copies: engines and locks stay behind.

    def __getstate__(self) -> dict[str, Any]:
        dropped = ("_engines", "_lock")
        return {k: value for k, value in super().__getstate__().items() if k not in dropped}


def _named(images: Any) -> list[Any] | None:
    """Files and pictures that images are named by, None for arrays: see `named_images`."""
    # What reads files is not even imported where nobody names one.
    if isinstance(images, np.ndarray) and images.dtype.kind not in "UO":
        return None
    from striate.data.network_images import named_images

    return named_images(images)
