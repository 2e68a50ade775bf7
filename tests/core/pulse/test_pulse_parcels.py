"""Parcels and their places."""

from __future__ import annotations

import pytest

from dcl_comms_core.pulse.parcels import PLACES, in_grid, index_of, parcel_of

VECTORS = [((0, 0), 48488), ((-152, -152), 0), ((-150, -150), 638), ((163, 158), 98895), ((165, 160), 99533),
           ((10, -20), 42138), ((1, 0), 48489), ((2, 1), 48808)]  # fmt: skip


@pytest.mark.parametrize(("parcel", "index"), VECTORS)
def test_vectors(parcel: tuple[int, int], index: int) -> None:
    assert index_of(*parcel) == index
    assert parcel_of(index) == parcel
    assert in_grid(*parcel)


def test_every_place_there_and_back() -> None:
    assert PLACES == 99_534
    assert [index_of(*parcel_of(index)) for index in range(PLACES)] == list(range(PLACES))


@pytest.mark.parametrize("parcel", [(-153, 0), (166, 0), (0, -153), (0, 161)])
def test_beyond_the_edge(parcel: tuple[int, int]) -> None:
    assert not in_grid(*parcel)
    with pytest.raises(ValueError, match="-152,-152 to 165,160"):
        index_of(*parcel)


@pytest.mark.parametrize("index", [-1, PLACES])
def test_no_such_place(index: int) -> None:
    with pytest.raises(ValueError, match="0 to 99533"):
        parcel_of(index)
