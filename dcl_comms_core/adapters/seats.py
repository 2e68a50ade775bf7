"""What tells two rooms apart, and what one identity can have once."""

from __future__ import annotations

import re
from typing import Final

from dcl_comms_core.adapters.connection_string import Adapter, LiveKitAdapter, WsRoomAdapter

__all__ = ["room_of", "seat_of"]

_SERVICE: Final = re.compile(r"(wss?://[^/]+)/rooms/[^/]+")


def room_of(adapter: Adapter) -> tuple[str, str]:
    """The server and the room: tokens and islands' names differ where these are the same."""
    if isinstance(adapter, LiveKitAdapter):
        return adapter.url, adapter.token.room
    if isinstance(adapter, WsRoomAdapter):
        # The service ignores the query.
        return adapter.url.partition("?")[0], ""
    return adapter.to_connection_string(), ""


def seat_of(adapter: Adapter) -> tuple[str, str]:
    """What one identity can have once: a room, or a place in any room of a ws-room service."""
    place = room_of(adapter)
    # Only there: rooms with another path are not those of the service with that rule.
    service = _SERVICE.fullmatch(place[0]) if isinstance(adapter, WsRoomAdapter) else None
    return place if service is None else (service[1], "")
