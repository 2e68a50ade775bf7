"""Where we are, for sources that want to be told beside our movements: the realm's name, and our position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.merged.sources import Placing, RealmFollowing

if TYPE_CHECKING:
    from dcl_comms_core.merged.children import Child, Children
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Bearings"]


class Bearings:
    """The newest of each, for sources that are there and for those to come."""

    __slots__ = ("_children", "_clock", "_position", "_realm")

    def __init__(self, children: Children, clock: Clock) -> None:
        self._children = children
        self._clock = clock
        self._realm: str | None = None
        self._position: tuple[float, float, float] | None = None

    def set_realm(self, name: str | None) -> None:
        """Be in the realm of this name; None: it has none, or is not known."""
        if name != self._realm:
            self._realm = name
            for child in self._children.sources.values():
                self._tell_realm(child)

    def set_position(self, position: tuple[float, float, float], *, moving: bool) -> None:
        """Be there.  ``moving``: whoever is there already is told by a movement."""
        self._position = position
        for child in () if moving else self._children.sources.values():
            self._tell_position(child)

    def tell(self, child: Child) -> None:
        """Tell a source that is about to be opened."""
        if self._realm is not None:
            self._tell_realm(child)
        self._tell_position(child)

    def _tell_realm(self, child: Child) -> None:
        if isinstance(child.session, RealmFollowing):
            child.session.set_realm(self._realm, now=self._clock.now)

    def _tell_position(self, child: Child) -> None:
        if self._position is not None and isinstance(child.session, Placing):
            child.session.set_position(self._position, now=self._clock.now)
