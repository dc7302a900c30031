"""Schedules: their ends, their corners, and PyTorch's curves."""

import math
import warnings

import numpy as np
import pytest

from striate.optim.schedules import SCHEDULES, ConstantRate, Cosine, OneCycle, StepDecay, by_name


def curve(schedule, total, base=0.5):
    return [schedule(step, total, base) for step in range(total)]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("total", [1, 2, 3, 10, 97])
@pytest.mark.parametrize("warmup", [None, 0, 3, 0.25, 1.0, 1000])
def test_rates_stay_between_zero_and_the_base(name, total, warmup):
    rates = curve(by_name(name, warmup=warmup), total)
    assert all(0.0 <= rate <= 0.5 * (1 + 1e-12) for rate in rates)
    assert all(math.isfinite(rate) for rate in rates)


def test_constant():
    assert curve(ConstantRate(), 3) == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("name", ["constant", "cosine", "step"])
def test_warmup_is_a_straight_line_to_the_base(name):
    by_steps = curve(by_name(name, warmup=4), 20)
    assert by_steps[:5] == [0.125, 0.25, 0.375, 0.5, 0.5]
    assert curve(by_name(name, warmup=0.2), 20) == by_steps
    # What follows is the schedule without warm-up over the steps that are left.
    assert by_steps[4:] == curve(by_name(name), 16)


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine_agrees_with_torch(final):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 13, eta_min=0.5 * final)
    expected = torch_curve(optimizer, theirs, 13)
    np.testing.assert_allclose(curve(Cosine(final=final), 13), expected, rtol=1e-12)


def test_step_falls_at_its_milestones():
    rates = curve(StepDecay(milestones=(0.3, 0.6), factor=0.5), 10, 1.0)
    assert rates == [1.0] * 3 + [0.5] * 3 + [0.25] * 4
    assert curve(StepDecay(every=0.25, factor=0.5), 8, 1.0) == [
        1,
        1,
        0.5,
        0.5,
        0.25,
        0.25,
        0.125,
        0.125,
    ]
    assert curve(StepDecay(every=0.1, factor=0.5), 10, 1.0) == [0.5**index for index in range(10)]
    assert curve(StepDecay(every=1.0), 3, 1.0) == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(curve(StepDecay(), 4, 1.0), [1.0, 1.0, 0.1, 0.01])


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize(("total", "peak"), [(10, 0.3), (97, 0.25), (50, 0.5)])
def test_one_cycle_agrees_with_torch(total, peak, linear):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5, momentum=0.9)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=0.5,
        total_steps=total,
        pct_start=peak,
        anneal_strategy="linear" if linear else "cos",
        div_factor=20.0,
        final_div_factor=100.0,
    )
    expected = torch_curve(optimizer, theirs, total)
    schedule = OneCycle(peak=peak, start_division=20.0, final_division=100.0, linear=linear)
    np.testing.assert_allclose(curve(schedule, total), expected, rtol=1e-9)


def torch_curve(optimizer, scheduler, total):
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no optimiser step was made
        for _ in range(total):
            rates.append(optimizer.param_groups[0]["lr"])
            if len(rates) < total:
                scheduler.step()
    return rates


def test_one_cycle_peaks_where_it_is_told():
    rates = curve(OneCycle(peak=5), 20)
    assert max(rates) == rates[4] == 0.5
    assert rates[0] == pytest.approx(0.5 / 25)
    assert rates[-1] == pytest.approx(0.5 / 25 / 1e4)
    assert by_name("one-cycle", warmup=5)(4, 20, 0.5) == 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConstantRate(warmup=-1), "warmup must be at least 0 steps"),
        (lambda: ConstantRate(warmup=1.5), "give a number of steps as an int"),
        (lambda: Cosine(final=2.0), "final must lie in 0 … 1"),
        (lambda: StepDecay(factor=0.0), "factor must lie above 0"),
        (lambda: StepDecay(every=0.0), "every must be a share"),
        (lambda: StepDecay(every=0.5, milestones=(0.5,)), "not both"),
        (lambda: StepDecay(milestones=(0.6, 0.5)), "milestones must be rising shares"),
        (lambda: StepDecay(milestones=(30, 60)), "milestones must be rising shares"),
        (lambda: OneCycle(start_division=0.5), "start_division must be at least 1"),
        (lambda: OneCycle(peak=-0.5), "peak as a share"),
        (lambda: by_name("linear"), "unknown schedule 'linear': known are 'constant', 'cosine'"),
        (lambda: ConstantRate()(3, 3, 0.1), "step 3 lies outside 0 … 2"),
    ],
)
def test_bad_options_are_told(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_bad_types_are_told():
    with pytest.raises(TypeError, match="warmup must be a number of steps"):
        ConstantRate(warmup=True)
    with pytest.raises(TypeError, match=r"schedule 'constant'.*factor"):
        by_name("constant", factor=0.1)
