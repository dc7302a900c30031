"""Rates for batches of another size, and warm-ups in epochs: the bits are those of `fit` with the
rate and the steps that they stand for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate import ConvNetClassifier
from striate.optim.optimizers import SGD, AdamW
from striate.optim.schedules import ConstantRate, OneCycle


def trained(problem: Any, make_network: Any, **options: Any) -> tuple[np.ndarray, list[float]]:
    images, labels = problem(96)
    network = make_network(dropout=0.1)
    given = {"epochs": 3, "engine": "numpy", "progress": False, **options}
    history = network.fit(images, labels, **given)
    return network.flat.copy(), history.column("learning_rate")


@pytest.mark.parametrize(("optimizer", "times"), [("sgd", 6.0), ("adamw", 6.0**0.5)])
def test_a_rate_for_another_batch(
    problem: Any, make_network: Any, optimizer: str, times: float
) -> None:
    options = {"optimizer": optimizer, "batch_size": 48, "groups": 4, "schedule": "constant"}
    found, rates = trained(
        problem, make_network, learning_rate=0.01, base_batch_size=8, warmup_epochs=1, **options
    )
    # 96 images are 2 steps an epoch.
    options["schedule"] = ConstantRate(2)
    wanted, same = trained(problem, make_network, learning_rate=0.01 * times, **options)
    np.testing.assert_array_equal(found, wanted)
    assert rates == same == pytest.approx([0.01 * times] * 3)
    other, _ = trained(problem, make_network, learning_rate=0.01, **options)
    assert not np.array_equal(found, other)


def test_a_warmup_of_parts_of_an_epoch(problem: Any, make_network: Any) -> None:
    options = {"batch_size": 16, "learning_rate": 0.01}  # 6 steps an epoch, 18 in all
    found, _ = trained(problem, make_network, schedule="cosine", warmup_epochs=1.5, **options)
    wanted, _ = trained(problem, make_network, schedule="cosine", warmup=9, **options)
    np.testing.assert_array_equal(found, wanted)
    found, _ = trained(problem, make_network, warmup_epochs=1.5, **options)
    wanted, _ = trained(problem, make_network, schedule=OneCycle(peak=0.5), **options)
    np.testing.assert_array_equal(found, wanted)


def test_a_batch_of_all_images_is_no_larger_than_they(problem: Any, make_network: Any) -> None:
    """The rate is that of the batches that there are."""
    options = {"optimizer": SGD(), "learning_rate": 0.01, "schedule": "constant"}
    _, rates = trained(problem, make_network, batch_size=5000, base_batch_size=32, **options)
    assert rates == pytest.approx([0.03] * 3)
    _, rates = trained(
        problem, make_network, batch_size=5000, base_batch_size=32, validation_fraction=1 / 3,
        **options,
    )  # fmt: skip
    assert rates == pytest.approx([0.02] * 3)


def test_other_rates_are_another_training(problem: Any, make_network: Any, tmp_path: Path) -> None:
    """Which a checkpoint tells apart."""
    images, labels = problem(96)
    options = {"engine": "numpy", "batch_size": 48, "learning_rate": 0.01, "progress": False}
    file = tmp_path / "checkpoint"

    def stop(epoch: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        from striate.training.checkpoint import Checkpoint

        make_network().fit(
            images, labels, base_batch_size=24, checkpoint=Checkpoint(file, every=1),
            on_epoch=lambda epoch: stop(epoch) if epoch.epoch == 2 else None, **options,
        )  # fmt: skip
    with pytest.raises(ValueError, match=r"learning rate 0.01414.* there, 0.01 here"):
        make_network().fit(images, labels, checkpoint=file, resume=True, **options)
    with pytest.raises(
        ValueError, match=r"schedule OneCycle\(peak=0.3.* there, OneCycle\(peak=0.2"
    ):
        make_network().fit(
            images, labels, base_batch_size=24, warmup_epochs=2, checkpoint=file, resume=True,
            **options,
        )  # fmt: skip


def test_a_rate_is_searched_in_groups(problem: Any, make_network: Any) -> None:
    images, labels = problem(96)
    options = {"batch_size": 48, "steps": 12, "engine": "numpy", "highest": 1.0}
    plain = make_network().find_learning_rate(images, labels, **options)
    parts = make_network().find_learning_rate(images, labels, groups=5, **options)
    np.testing.assert_allclose(parts.losses, plain.losses, rtol=1e-4)
    # Batch normalisation is over a group, so there the losses are others.
    plain = make_network(batch_norm=True).find_learning_rate(images, labels, **options)
    parts = make_network(batch_norm=True).find_learning_rate(images, labels, groups=5, **options)
    assert np.abs(parts.losses - plain.losses).max() > 1e-3


def test_estimators_have_them_too(problem: Any) -> None:
    images, labels = problem(60)
    model = ConvNetClassifier(
        [], epochs=2, batch_size=30, base_batch_size=120, warmup_epochs=1, optimizer="adamw",
        learning_rate=0.02, schedule="constant", engine="numpy", random_state=0,
    )  # fmt: skip
    model.fit(images, labels)
    # The last step of the first epoch is the last of the warm-up.
    assert model.history_.column("learning_rate") == pytest.approx([0.01, 0.01])
    model.partial_fit(images, labels)
    assert model.history_.column("learning_rate") == pytest.approx([0.01])
    with pytest.raises(ValueError, match="warmup_epochs must lie in 0 … 2"):
        model.set_params(warmup_epochs=3).fit(images, labels)


def test_an_optimizer_of_ones_own_grows_in_proportion(problem: Any, make_network: Any) -> None:
    class Half(AdamW):
        rate_power = 1.0

    _, rates = trained(
        problem, make_network, optimizer=Half(), learning_rate=0.001, batch_size=32,
        base_batch_size=16, schedule="constant",
    )  # fmt: skip
    assert rates == pytest.approx([0.002] * 3)
