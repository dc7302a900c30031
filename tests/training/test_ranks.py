"""One training by several ranks, which are threads here: the same bits for any number of them."""

from __future__ import annotations

import copy
import re
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from striate.common.digests import digest_of
from striate.common.errors import StriateArithmeticError, StriateError
from striate.common.stop_signals import InterruptHandler
from striate.data.augment import Augment
from striate.data.dataset import DataError
from striate.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU
from striate.network import Network
from striate.optim.layerwise import LAMB, LARS
from striate.optim.optimizers import SGD, AdamW, Optimizer
from striate.ranks.agree import DisagreementError
from striate.ranks.alone import ALONE
from striate.ranks.exchange import Exchange, RankError
from tests.ranks.rank_threads import on_ranks, with_ranks

DIGITS = load_digits()
IMAGES, LABELS = (16 * DIGITS.images[:330]).clip(0, 255).astype(np.uint8), DIGITS.target[:330]


def network() -> Network:
    return Network(
        [
            Conv2D(6, 3, padding=1), BatchNorm(), ReLU(), MaxPool2D(2),
            Conv2D(8, 3), BatchNorm(), ReLU(), Flatten(), Dropout(0.25), Dense(10),
        ],
        input_shape=(8, 8, 1),
        seed=4,
    )  # fmt: skip


def noisy(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(images + rng.integers(0, 20, images.shape), 0, 255).astype(np.uint8)


def trained(exchange: Exchange, **options: Any) -> tuple[str, Any]:
    """A digest of weights, statistics and the optimiser's state, and the figures of the epochs."""
    made, optimizer = network(), copy.deepcopy(options.pop("optimizer", AdamW()))
    settings = {
        "epochs": 3, "batch_size": 64, "groups": 5, "optimizer": optimizer, "progress": False,
        "augment": Augment(shift=1, mixup=0.3), "class_weight": {3: 2.0, 5: 0.5},
        "validation_fraction": 0.2, "early_stopping": 1, "seed": 9, "threads": 1,
    }  # fmt: skip
    history = made.fit(IMAGES, LABELS, exchange=exchange, **(settings | options))
    arrays = optimizer.arrays()
    state = digest_of(
        made.flat, made.state_flat, [optimizer.steps], *(arrays[name] for name in sorted(arrays))
    )
    figures = [
        (row.loss, row.accuracy, row.val_loss, row.val_accuracy, row.images) for row in history
    ]
    return state, (figures, history.stopped_by, history.best_epoch)


@pytest.mark.parametrize("engine", ["llvm", "numpy"])
def test_the_same_bits_for_any_number(engine: str) -> None:
    expected = trained(ALONE, engine=engine)
    assert len(expected[1][0]) > 1
    for size in (2, 3, 4) if engine == "llvm" else (3,):
        assert (
            on_ranks(size, lambda exchange: trained(exchange, engine=engine)) == [expected] * size
        )


def test_a_learning_rate_is_searched_together() -> None:
    """Also by a rank that has no group, to the same curve."""

    def searched(exchange: Exchange, **options: Any) -> Any:
        made = network()
        curve = made.find_learning_rate(
            IMAGES[:80], LABELS[:80], steps=10, batch_size=32, groups=2, seed=2, engine="numpy",
            augment=Augment(mixup=0.3), class_weight="balanced", exchange=exchange, **options,
        )  # fmt: skip
        return curve.to_dict(), digest_of(made.flat, made.state_flat), made.preprocessing

    expected = searched(ALONE)
    assert expected[1] == digest_of(network().flat, network().state_flat)
    assert on_ranks(3, searched) == [expected] * 3
    errors = with_ranks(2, lambda exchange: searched(exchange, highest=1.0 + exchange.rank))
    assert all("10 steps from 1e-06 to 1, rank 1 has" in str(error) for error in errors), errors


def test_threads_and_ranks() -> None:
    expected = trained(ALONE, threads=2, epochs=1)
    assert on_ranks(2, lambda exchange: trained(exchange, threads=2, epochs=1)) == [expected] * 2


@pytest.mark.parametrize(
    "options",
    [
        {"groups": 1},
        {"groups": 2, "batch_size": 300},
        {"augment": noisy, "class_weight": None},
        {"augment": None, "sample_weight": np.linspace(0, 2, 330)},
        {"optimizer": SGD(), "validation_fraction": 0.0, "early_stopping": None},
    ],
)
def test_more_ranks_than_groups_and_other_options(options: dict[str, Any]) -> None:
    """Ranks that have no group of a batch, or of the last and partial one, go along."""
    options = {"epochs": 2} | options
    expected = trained(ALONE, **options)
    assert on_ranks(4, lambda exchange: trained(exchange, **options)) == [expected] * 4


@pytest.mark.parametrize(("optimizer", "reduce_dtype"), [(LARS(), "float32"), (LAMB(), "bfloat16")])
def test_large_batches(optimizer: Optimizer, reduce_dtype: str) -> None:
    """Norms of layers, and sums that are rounded, are the same for any number of ranks."""
    options: dict[str, Any] = {
        "optimizer": optimizer, "reduce_dtype": reduce_dtype, "epochs": 1, "batch_size": 100,
        "base_batch_size": 20, "warmup_epochs": 0.5, "early_stopping": None,
    }  # fmt: skip
    expected = trained(ALONE, **options)
    for size in (2, 3):
        assert on_ranks(size, lambda exchange: trained(exchange, **options)) == [expected] * size
    if reduce_dtype == "bfloat16":
        assert trained(ALONE, **options | {"reduce_dtype": "float32"})[0] != expected[0]


def test_whitening_and_regression() -> None:
    def fitted(exchange: Exchange) -> str:
        made = Network(
            [Conv2D(18, 3, initial="whitening"), ReLU(), Flatten(), Dense(2)], input_shape=(8, 8, 1)
        )
        aims = np.stack([LABELS, LABELS**2], axis=1) / 10.0
        made.fit(
            IMAGES, aims, exchange=exchange, epochs=2, groups=4, progress=False, threads=1,
            validation_data=(IMAGES[:50], aims[:50]),
        )  # fmt: skip
        return digest_of(made.flat, list(made.preprocessing.mean), list(made.preprocessing.std))

    assert on_ranks(3, fitted) == [fitted(ALONE)] * 3


def test_each_rank_loads_the_images_of_its_own_groups() -> None:
    def seen(exchange: Exchange) -> set[int]:
        rows: list[int] = []

        def watch(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            rows.extend(images[:, 0, 0, 0])
            return images

        numbered = np.repeat(np.arange(250, dtype=np.uint8), 64).reshape(250, 8, 8)
        options = {"epochs": 1, "batch_size": 50, "groups": 5, "augment": watch}
        network().fit(
            numbered, LABELS[:250], exchange=exchange, progress=False, threads=1, **options
        )
        assert len(rows) == len(set(rows))
        return set(rows)

    found = on_ranks(3, seen)
    assert sorted(row for rows in found for row in rows) == list(range(250))


class SeventhTime(InterruptHandler):
    """A signal that comes to rank 1 alone, in its seventh step."""

    times = 0

    @property
    def number(self) -> int | None:
        self.times += 1
        of_rank_1 = threading.current_thread().name == "rank 1"
        return signal.SIGTERM if of_rank_1 and self.times == 7 else None


def test_a_signal_to_one_stops_all_and_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, file = trained(ALONE), tmp_path / "checkpoint"
    with monkeypatch.context() as patched:
        patched.setattr("striate.training.loop.InterruptHandler", SeventhTime)
        first, *others = on_ranks(3, lambda exchange: trained(exchange, checkpoint=file))
    assert others == [first] * 2
    assert first[1][1] == "SIGTERM" and first[0] != expected[0]
    for size in (1, 2):
        copied = tmp_path / f"of {size}"
        copied.write_bytes(file.read_bytes())
        found = resumed_by(size, copied)
        assert found == [expected] * size
        assert not copied.exists()


def resumed_by(size: int, path: Path, **options: Any) -> list[Any]:
    """Only the first rank has the checkpoint."""

    def work(exchange: Exchange) -> Any:
        own = path if exchange.rank == 0 else path.with_name("elsewhere")
        return trained(exchange, checkpoint=own, resume=True, **options)

    return [work(ALONE)] if size == 1 else on_ranks(size, work)


def test_a_rank_that_fails_ends_all_and_leaves_a_checkpoint(tmp_path: Path) -> None:
    expected, file = trained(ALONE, augment=noisy), tmp_path / "checkpoint"

    def work(exchange: Exchange) -> Any:
        calls: list[int] = []

        def failing(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            calls.append(len(images))
            if exchange.rank == 2 and len(calls) == 12:
                raise DataError("cat.png: is damaged")
            return noisy(images, rng)

        failing.__qualname__, failing.__module__ = noisy.__qualname__, noisy.__module__
        return trained(exchange, checkpoint=file, augment=failing)

    one, two, three = with_ranks(3, work)
    assert type(three) is DataError
    assert type(one) is type(two) is RankError and str(one) == "rank 2: cat.png: is damaged"
    assert resumed_by(2, file, augment=noisy) == [expected] * 2


def test_a_checkpoint_that_the_first_refuses_ends_all(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text("a letter")
    path = tmp_path / "checkpoint"
    one, two = with_ranks(2, lambda exchange: trained(exchange, checkpoint=path, resume=True))
    assert "exists and is not a checkpoint" in str(one) and not isinstance(one, RankError)
    assert isinstance(two, RankError) and str(two).startswith("rank 0: ")


def test_a_loss_that_is_not_finite_ends_all_alike() -> None:
    errors = with_ranks(
        2, lambda exchange: trained(exchange, optimizer=SGD(), learning_rate=1e9, augment=None)
    )
    assert all(type(error) is StriateArithmeticError for error in errors)
    assert str(errors[0]) == str(errors[1])


def test_on_epoch_of_any_rank_ends_training() -> None:
    def work(exchange: Exchange) -> Any:
        return trained(exchange, on_epoch=lambda row: exchange.rank == 1 and row.epoch == 2)

    found = on_ranks(3, work)
    assert [one[1][1] for one in found] == ["on_epoch"] * 3 and found == [found[0]] * 3
    assert len(found[0][1][0]) == 2


def test_only_the_first_tells_how_it_goes() -> None:
    told: list[int] = []
    on_ranks(
        3,
        lambda exchange: trained(exchange, progress=lambda _: told.append(exchange.rank), epochs=1),
    )
    assert told == [0] * 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 8}, "rank 1 has seed 8, the others 9"),
        ({"epochs": 4}, "rank 1 has epochs 4, the others 3"),
        ({"batch_size": 32}, "rank 1 has batch size 32, the others 64"),
        ({"groups": 4}, "rank 1 has groups 4, the others 5"),
        ({"learning_rate": 0.1}, "rank 1 has learning rate 0.1, the others 0.002"),
        ({"class_weight": None}, "rank 1 has other labels than the others"),
        ({"portable": True}, "rank 1 has not the architecture|rank 1 has .*architecture"),
    ],
)
def test_other_settings_are_named_on_all_ranks(options: dict[str, Any], said: str) -> None:
    errors = with_ranks(
        3, lambda exchange: trained(exchange, **(options if exchange.rank == 1 else {}))
    )
    for error in errors:
        assert type(error) is DisagreementError, error
        assert str(error).startswith("the ranks cannot train together: ")
        assert re.search(said, str(error)), error


def test_other_images_and_weights_are_named() -> None:
    def with_image(exchange: Exchange) -> Any:
        changed = IMAGES.copy()
        changed[7, 3, 2] ^= exchange.rank == 2
        return network().fit(changed, LABELS, exchange=exchange, progress=False, threads=1)

    def with_weights(exchange: Exchange) -> Any:
        made = network()
        made.flat[5] += exchange.rank == 0
        return made.fit(IMAGES, LABELS, exchange=exchange, progress=False, threads=1)

    for error in with_ranks(3, with_image):
        assert "rank 2 has other images than the others" in str(error)
    for error in with_ranks(3, with_weights):
        assert "rank 0 has other initial weights than the others" in str(error)


def test_weights_that_come_apart_are_an_error_that_names_the_rank() -> None:
    def work(exchange: Exchange) -> Any:
        made = network()

        def spoil(row: Any) -> None:
            if exchange.rank == 1 and row.epoch == 2:
                made.flat[3] = np.nextafter(made.flat[3], np.float32(9))

        return made.fit(
            IMAGES, LABELS, exchange=exchange, progress=False, threads=1, on_epoch=spoil
        )

    for error in with_ranks(3, work):
        assert type(error) is DisagreementError
        assert str(error).startswith(
            "training has come apart in epoch 2: rank 1 has other weights than the others: "
        )


def test_what_is_no_exchange_is_refused() -> None:
    with pytest.raises(StriateError, match=r"exchange must be an Exchange, such as"):
        trained("mpi")  # type: ignore[arg-type]
