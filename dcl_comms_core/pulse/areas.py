"""What a listener to scenes watches: rectangles of parcels.  The service counts what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_core.adapters.pulse import PulseAddress
from dcl_comms_core.errors import InvalidConnectionString, LocalProtocolError
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.parcels import in_grid
from dcl_comms_core.pulse.realms import MOST_REALM, realm_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["MOST_COST", "ScenesOnly", "wire_areas"]

MOST_COST: Final = 4_096
"""Of all areas together: parcels, and four for each realm."""
_REALM_COST: Final = 4
_PARCEL, _RECTANGLE = 2, 4

Rectangle = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, init=False)
class ScenesOnly:
    """Watch parcels, and be seen by nobody: all of them at full detail, and no island comes of it.

    ``parcels``: each ``(x, z)``, or a rectangle ``(x, z, x, z)`` from its first to its last, both included.  ``realm``:
    where they are; None: where we are, or Genesis City.  ``also``: parcels of further realms, by the realm's name.
    ``at``: the service's ``host:port``; None: as with ``pulse="auto"``.
    LocalProtocolError: nothing to watch, no parcel of the grid, or more than the service lets one watch (4,096 parcels,
    of which each realm costs four).
    """

    realm: str | None
    rectangles: tuple[Rectangle, ...]
    also: Mapping[str, tuple[Rectangle, ...]] = field(hash=False)
    at: str | None

    def __init__(
        self,
        *parcels: tuple[int, ...],
        realm: str | None = None,
        also: Mapping[str, Iterable[tuple[int, ...]]] = MappingProxyType({}),
        at: str | None = None,
    ) -> None:
        here = tuple(map(_rectangle, parcels))
        there = {name.lower(): tuple(map(_rectangle, areas)) for name, areas in also.items()}
        groups = [here, *there.values()]
        if not all(groups):
            msg = "there is nothing to watch: name parcels, (x, z) or (x, z, x, z)"
            raise LocalProtocolError(msg)
        names = [*there, *(() if realm is None else (realm,))]
        if not all(map(realm_name, names)):
            msg = f"a realm's name has 1 to {MOST_REALM} characters"
            raise LocalProtocolError(msg)
        cost = sum(_REALM_COST + sum(map(_size, group)) for group in groups)
        if cost > MOST_COST:
            msg = f"these parcels cost {cost:,}, and one connection may watch {MOST_COST:,}: watch fewer"
            raise LocalProtocolError(msg)
        if at is not None:
            _check_address(at)
        object.__setattr__(self, "at", at)
        object.__setattr__(self, "realm", None if realm is None else realm.lower())
        object.__setattr__(self, "rectangles", here)
        object.__setattr__(self, "also", MappingProxyType(there))


def wire_areas(scenes: ScenesOnly, here: str) -> list[pulse.SceneListenerAoi]:
    """As the service is told, ``here``: the realm that we are in."""
    realms = {**scenes.also}
    own = scenes.realm or here
    realms[own] = (*scenes.rectangles, *realms.get(own, ()))
    return [
        pulse.SceneListenerAoi(
            realm=name,
            parcel_rects=[pulse.ParcelRect(min_x=a, min_z=b, max_x=c, max_z=d) for a, b, c, d in rectangles],
        )
        for name, rectangles in realms.items()
    ]


def _check_address(at: str) -> None:
    try:
        PulseAddress.parse(at)
    except InvalidConnectionString as error:
        problem = str(error)
    else:
        return
    msg = f"at= is where the service is, host:port: {problem}"
    raise LocalProtocolError(msg)


def _rectangle(parcels: tuple[int, ...]) -> Rectangle:
    if not all(isinstance(one, int) for one in parcels) or len(parcels) not in (_PARCEL, _RECTANGLE):  # pyright: ignore[reportUnnecessaryIsInstance]
        msg = f"a parcel is (x, z), and a rectangle of them (x, z, x, z), not {parcels!r}"
        raise LocalProtocolError(msg)
    (x, z), (last_x, last_z) = parcels[:2], parcels[-2:]
    if not (x <= last_x and z <= last_z and in_grid(x, z) and in_grid(last_x, last_z)):
        msg = f"{parcels!r} is no rectangle of parcels of the grid: its first parcel, then its last"
        raise LocalProtocolError(msg)
    return x, z, last_x, last_z


def _size(rectangle: Rectangle) -> int:
    x, z, last_x, last_z = rectangle
    return (last_x - x + 1) * (last_z - z + 1)
