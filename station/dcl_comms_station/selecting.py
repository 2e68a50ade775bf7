"""Which events a command shows: ``--only`` and ``--filter``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dcl_comms_core.records.filters import Context, Filter
from dcl_comms_core.records.forms import event_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcl_comms_drivers.connection.base import BaseConnection

    from dcl_comms_core.events import Event
    from dcl_comms_core.peers import PeerId

__all__ = ["Selection"]


class Selection:
    """Events of some kinds (none given: all) that pass a filter.  InvalidFilter: the text is none."""

    def __init__(self, only: Sequence[str] = (), text: str | None = None) -> None:
        self._only = frozenset(only)
        self._room: BaseConnection | None = None
        offset = time.localtime().tm_gmtoff
        context = Context(me=self._me, where=self._where, now=time.time, utc_offset=float(offset))
        self._filter = None if text is None else Filter(text, context=context)

    def watch(self, room: BaseConnection) -> None:
        """The filter's ``me`` and ``near`` are of this connection."""
        self._room = room

    def __call__(self, event: Event) -> bool:
        """Whether the event is shown."""
        if self._only and event_name(event) not in self._only:
            return False
        return self._filter is None or self._filter(event)

    def _me(self) -> PeerId | None:
        return None if self._room is None else self._room.identity

    def _where(self) -> tuple[float, float, float] | None:
        return None if self._room is None else self._room.me.position
