"""The generator gives SplitMix64's numbers, for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dcl_comms_core.tools.prng import Prng


def test_the_numbers_of_the_reference() -> None:
    # From the reference implementation in C with seed 1234567, as other ports check themselves against it.
    prng = Prng(1234567)
    assert [prng.bits() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(st.integers())
def test_a_seed_of_any_size_is_taken_modulo_64_bits(seed: int) -> None:
    assert Prng(seed).bits() == Prng(seed % 2**64).bits()


@given(st.integers(0, 2**64 - 1), st.floats(-1e9, 1e9), st.floats(0.0, 1e9))
def test_ranges(seed: int, low: float, width: float) -> None:
    prng = Prng(seed)
    assert 0.0 <= prng.unit() < 1.0
    assert low <= prng.between(low, low + width) <= low + width
    assert prng.chance(1.0)
    assert not prng.chance(0.0)


def test_chances_come_out_about_right() -> None:
    prng = Prng(2)
    assert 2_850 < sum(prng.chance(0.3) for _ in range(10_000)) < 3_150
