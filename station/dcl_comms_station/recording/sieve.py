"""Which packets and events pass a filter, of a connection or of a recording: it learns from them where we are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dcl_comms_core.events import PeerMoved, RealmOpened, RoomOpened
from dcl_comms_core.records.filters import Context, Filter, TapPacket

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.peers import PeerId

__all__ = ["Sieve"]


class Sieve:
    """A filter of this text; ``me`` and ``near`` are of whoever recorded.  InvalidFilter: the text is none.

    ``now``: what ``since:`` counts from, unix seconds.
    """

    def __init__(self, text: str, *, now: Callable[[], float | None] = time.time) -> None:
        self._me: PeerId | None = None
        self._where: tuple[float, float, float] | None = None
        context = Context(
            me=lambda: self._me,
            where=lambda: self._where,
            now=now,
            utc_offset=float(time.localtime().tm_gmtoff),
        )
        self._filter = Filter(text, context=context)

    def keep(self, item: Any) -> bool:
        """Whether an event, or a TapPacket, passes.  Give it all there are, in order."""
        if isinstance(item, RoomOpened | RealmOpened):
            self._me = item.identity
        elif isinstance(item, TapPacket) and item.is_ours:
            said = item.event
            if isinstance(said, PeerMoved):
                self._where = said.position
        return self._filter(item)
