"""The soak's verdict on memory: a leak is found, noise is not taken for one."""

from __future__ import annotations

import random

import pytest

from benchmarks.soak import CERTAIN, LIMIT, slope


def samples(count: int, every: float, leak: float, noise: float, seed: int) -> list[tuple[float, float]]:
    """(seconds, MiB): ``leak`` MiB an hour, and noise of which half stays from one sample to the next."""
    dice = random.Random(seed)
    drift = 0.0
    found = []
    for index in range(count):
        drift = 0.5 * drift + dice.gauss(0.0, noise)
        found.append((index * every, 90.0 + leak * index * every / 3600.0 + drift))
    return found


def broken(values: list[tuple[float, float]]) -> bool:
    found = slope(values)
    return found.value - CERTAIN * found.error > LIMIT


@pytest.mark.parametrize(("count", "every", "leak"), [(50, 60.0, 4.0), (10, 12.0, 120.0)])
def test_a_leak_is_found(count: int, every: float, leak: float) -> None:
    assert sum(broken(samples(count, every, leak, 0.2, seed)) for seed in range(100)) >= 90


@pytest.mark.parametrize(("count", "every"), [(50, 60.0), (10, 12.0)])
@pytest.mark.parametrize("leak", [0.0, 0.5])
def test_noise_is_no_leak(count: int, every: float, leak: float) -> None:
    assert sum(broken(samples(count, every, leak, 0.2, seed)) for seed in range(100)) <= 5


def test_the_slope_is_in_mebibytes_an_hour() -> None:
    found = slope([(second, 50.0 + second * 3.0 / 3600.0) for second in range(0, 3600, 60)])
    assert found.value == pytest.approx(3.0)
    assert found.error == pytest.approx(0.0, abs=1e-6)
