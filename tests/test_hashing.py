"""The counter-based random numbers: exact bits, uniformity, independence."""

import numpy as np

from striate.common.random_bits import drop_threshold, uniform_bits


def by_hand(key, salt, position):
    """The formula in unbounded Python integers."""
    mask = 0xFFFFFFFF
    h = key ^ ((position * 0x9E3779B9 + salt * 0x85EBCA6B) & mask)
    h ^= h >> 16
    h = h * 0x85EBCA6B & mask
    h ^= h >> 13
    h = h * 0xC2B2AE35 & mask
    return h ^ (h >> 16)


def test_bits_follow_the_formula():
    keys = np.array([0, 1, 0xFFFFFFFF, 123456789], np.uint32)
    for salt in (0, 1, 250):
        expected = [[by_hand(int(key), salt, i) for i in range(40)] for key in keys]
        np.testing.assert_array_equal(uniform_bits(keys, salt, 40), expected)


def test_bits_are_uniform_and_keys_and_salts_differ():
    keys = np.random.default_rng(0).integers(0, 2**32, 500, np.uint32)
    bits = uniform_bits(keys, 3, 400)
    counts = np.histogram(bits, bins=16, range=(0, 2**32))[0]
    assert abs(counts / (bits.size / 16) - 1).max() < 0.05
    dropped = bits < drop_threshold(0.5)
    other = uniform_bits(keys, 4, 400) < drop_threshold(0.5)
    for one, two in (
        (dropped, other),
        (dropped[:-1], dropped[1:]),
        (dropped[:, 1:], dropped[:, :-1]),
    ):
        assert abs((one == two).mean() - 0.5) < 0.01


def test_thresholds():
    assert drop_threshold(0) == 0
    assert drop_threshold(0.5) == 2**31
    assert drop_threshold(0.25) == 2**30
