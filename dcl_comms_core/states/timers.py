"""The timers behind ``deadline()``, and what bounds a state of a machine."""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = [
    "NOT_BEGUN",
    "OVER",
    "Bound",
    "Timer",
]


class Timer(Enum):
    """The timers behind ``deadline()``."""

    CONNECT = "connect"
    """When to give up a link that neither opened nor failed."""
    RETRY = "retry"
    """When to open the next link after one was lost."""
    REPAIR = "repair"
    """When to give up a link that repairs its own connection and says no more."""
    ANNOUNCE = "announce"
    """When to send although the server did not confirm that others know us."""
    MOVEMENT = "movement"
    """When a peer that sent too many movements may be heard of again."""
    MOVE = "move"
    """When our own movement goes out, or goes out again."""
    PRESENCE = "presence"
    """When to announce our profile again."""
    IGNORE = "ignore"
    """When to listen again to a peer that was ignored."""
    WAITING = "waiting"
    """When to let go of what was said and waits for a room."""
    CLOSE = "close"
    """When to stop waiting for a link, or for another source, that was told to close."""
    STAGE = "stage"
    """When to give up a handshake whose next step did not come."""
    HEARTBEAT = "heartbeat"
    """When to tell the island service again where we are."""
    ISLAND = "island"
    """When to say that the island service is silent."""
    REQUEST = "request"
    """When to give up a request, or the signature for it."""
    SEEK = "seek"
    """When to look again for the way into a room that was lost."""
    ENTER = "enter"
    """When to give up a realm in whose rooms we are not yet, or a search for a room that did not lead into it."""
    RESEND = "resend"
    """When a datagram that was not acknowledged goes out again, or its connection is given up."""
    PROVE = "prove"
    """When to forget who wants to connect and did not prove to be where the datagram said it came from."""
    PING = "ping"
    """When to ask a silent connection for a sign of life."""

    def __init__(self, _value: str) -> None:
        self.index = len(type(self).__members__)
        """Its place among them: looking by the member itself in a dict takes twice as long, for its hash."""


Bound = tuple[Timer, ...] | str
"""The timers of which one at least runs in a state, or why none needs to: nothing from outside is awaited there."""

NOT_BEGUN: Final = "not begun"
OVER: Final = "over"
