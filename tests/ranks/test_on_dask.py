"""A real Dask, of one process: as what starts ranks, and as what a search spreads over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import striate

distributed = pytest.importorskip("distributed", reason="pip install 'striate[dask]'")
pytestmark = pytest.mark.filterwarnings("default")  # of Dask's own


@pytest.fixture
def scheduler() -> Iterator[Any]:
    given = {"processes": False, "dashboard_address": None, "protocol": "tcp"}
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, **given) as cluster:
        yield cluster


def test_a_worker_looks_starts_a_proxy_and_is_lost(scheduler: Any, tmp_path: Path) -> None:
    from striate.ranks.launching.dask_cluster import DaskCluster

    with DaskCluster(scheduler.scheduler_address) as cluster:
        (worker,) = cluster.workers()
        (tmp_path / "mark").touch()
        assert cluster.look([worker], str(tmp_path), "mark") == {}
        (said,) = cluster.look([worker], str(tmp_path), "other").values()
        assert said.startswith("does not see the folder of the model")
        proxy = cluster.start(worker, 1, ["/nowhere/proxy", "--no-such-option"])
        end = time.monotonic() + 30
        while proxy.failure() is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert "proxy" in str(proxy.failure()) and proxy.end() is None
        scheduler.scale(0)
        lost = cluster.start(worker, 1, ["/nowhere/proxy"])
        while lost.failure() is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert lost.failure() == lost.end() == "the worker is gone"


def test_a_search_finds_what_one_alone_finds(scheduler: Any) -> None:
    digits = striate.load_data("digits")
    images, labels = digits.train_images[:120], digits.train_labels[:120]

    def fitted() -> Any:
        model = striate.ConvNetClassifier([striate.Flatten()], epochs=1, random_state=0, n_jobs=1)
        search = GridSearchCV(model, {"learning_rate": [0.001, 0.01]}, cv=2)
        return search.fit(images, labels)

    alone = fitted()
    with distributed.Client(scheduler), joblib.parallel_config("dask"):
        spread = fitted()
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(spread.cv_results_[name], alone.cv_results_[name])
    weights = [one.best_estimator_.network_.flat for one in (alone, spread)]
    np.testing.assert_array_equal(*weights)
