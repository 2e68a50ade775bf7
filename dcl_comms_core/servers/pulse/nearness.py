"""Which players are within reach of each other, without comparing everybody with everybody whenever somebody moves.

Each has an anchor: where it was when it was last compared with all around.  By their anchors two are near, far, or on
the edge; as long as both stay close to theirs, only those on the edge of each other have to be compared again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcl_comms_core.servers.pulse.cells import Cells
    from dcl_comms_core.servers.pulse.subjects import Subject

__all__ = ["Nearness"]

_STRAY: Final = 20.0
"""A part of the reach: so far somebody may be from its anchor."""
_GRAIN: Final = 1e-6
"""Metres: more than what is lost in computing."""
_Near: TypeAlias = "dict[Subject, None]"


class Nearness:
    """Players of one realm, on the ground: how high they are makes no difference.  ``reach`` is in metres."""

    def __init__(self, cells: Cells, reach: float) -> None:
        self._cells = cells
        self._reach = reach
        self._within = reach * reach
        stray = reach / _STRAY
        self._stray = stray * stray
        near, far = reach - 2.0 * stray - _GRAIN, reach + 2.0 * stray + _GRAIN
        self._near, self._far = near * near, far * far
        # Whoever is looked for by its anchor is found by where it is.
        self._farthest = far + stray
        self.compared = 0
        """How many pairs were, ever."""

    def anew(self, subject: Subject) -> _Near | None:
        """Whoever is within reach, if everybody around had to be compared; None: but for the edges all is as it was."""
        realm, (x, _, z), anchor = subject.realm, subject.place, subject.anchor
        if anchor is not None and anchor[0] == realm and (x - anchor[1]) ** 2 + (z - anchor[2]) ** 2 <= self._stray:
            return None
        self.remove(subject)
        if realm is None:
            return {}
        subject.anchor = realm, x, z
        near: _Near = {}
        for other in self._around(realm, x, z):
            theirs = other.anchor
            # Who has none, or one of another realm, is compared itself yet.
            if other is subject or theirs is None or theirs[0] != realm:
                continue
            self.compared += 1
            apart = (theirs[1] - x) ** 2 + (theirs[2] - z) ** 2
            if apart > self._far:
                continue
            if apart > self._near:
                subject.edge[other] = other.edge[subject] = None
                if not self._are_near(subject, other):
                    continue
            near[other] = None
        return near

    def edges(self, subject: Subject) -> Iterator[tuple[Subject, bool]]:
        """Those on its edge, and whether they are within reach now."""
        for other in subject.edge:
            self.compared += 1
            # One that has changed realm since is compared itself yet.
            yield other, other.realm == subject.realm and self._are_near(subject, other)

    def remove(self, subject: Subject) -> None:
        """It is nowhere."""
        subject.anchor = None
        for other in subject.edge:
            del other.edge[subject]
        subject.edge.clear()

    def _around(self, realm: str, x: float, z: float) -> Iterator[Subject]:
        cells, far = self._cells, self._farthest
        low, high = (cells.at(x - far), cells.at(z - far)), (cells.at(x + far), cells.at(z + far))
        return cells.within(realm, low, high)

    def _are_near(self, one: Subject, other: Subject) -> bool:
        (x, _, z), (other_x, _, other_z) = one.place, other.place
        return (other_x - x) ** 2 + (other_z - z) ** 2 <= self._within
