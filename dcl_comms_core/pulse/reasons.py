"""Why Pulse hung up on us, and what may help: the numbers that come with ENet's disconnect."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.adapters.wording import Topic, read_words
from dcl_comms_core.states import CloseReason, Retry

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ENDINGS", "DisconnectReason", "Ending", "ending", "refused"]


class DisconnectReason(IntEnum):
    """The service's own names for them."""

    NONE = 0
    GRACEFUL = 1
    AUTH_TIMEOUT = 2
    AUTH_FAILED = 3
    DUPLICATE_SESSION = 4
    BANNED = 5
    SERVER_FULL = 6
    PRE_AUTH_IP_LIMIT_EXHAUSTED = 7
    PRE_AUTH_BUDGET_EXHAUSTED = 8
    INPUT_RATE_EXCEEDED = 9
    DISCRETE_EVENT_RATE_EXCEEDED = 10
    INVALID_INPUT_FIELD = 11
    INVALID_EMOTE_FIELD = 12
    INVALID_TELEPORT_FIELD = 13
    HANDSHAKE_REPLAY_REJECTED = 14
    INVALID_HANDSHAKE_FIELD = 15
    PACKET_CORRUPTED = 16
    IP_CONNECTION_LIMIT_EXCEEDED = 17
    SCENE_LISTENER_IP_LIMIT_EXCEEDED = 18
    INVALID_SCENE_LISTENER_FIELD = 19


class Ending(NamedTuple):
    """The end of a connection."""

    reason: CloseReason
    retry: Retry
    pause: float
    """Seconds before another attempt, at least."""
    detail: str
    """For people."""


_AGAIN, _NEVER = Retry.BACKOFF, Retry.NEVER
_SHORT: Final = 3.0
_CROWDED: Final = 10.0
_FULL: Final = 60.0
_ADDRESS: Final = 300.0
_LONGEST_WORDS: Final = 1_024

_R = DisconnectReason
ENDINGS: Final[Mapping[int, Ending]] = MappingProxyType(
    {
        _R.NONE: Ending(CloseReason.NETWORK, _AGAIN, _SHORT, "the service gave no reason"),
        _R.GRACEFUL: Ending(CloseReason.SERVER_SHUTDOWN, _AGAIN, _SHORT, "the service is shutting down"),
        _R.AUTH_TIMEOUT: Ending(CloseReason.TIMEOUT, _AGAIN, _SHORT, "the service was not told in time who we are"),
        _R.AUTH_FAILED: Ending(CloseReason.AUTHENTICATION, _NEVER, 0.0, "the service did not accept who we are"),
        _R.DUPLICATE_SESSION: Ending(
            CloseReason.DUPLICATE_IDENTITY, _NEVER, 0.0, "the same wallet connected again elsewhere"
        ),
        _R.BANNED: Ending(CloseReason.BANNED, _NEVER, 0.0, "this wallet is banned"),
        _R.SERVER_FULL: Ending(CloseReason.ROOM_FULL, _AGAIN, _FULL, "the service is full"),
        _R.PRE_AUTH_IP_LIMIT_EXHAUSTED: Ending(
            CloseReason.THROTTLED, _AGAIN, _CROWDED, "too many of our address said not yet who they are"
        ),
        _R.PRE_AUTH_BUDGET_EXHAUSTED: Ending(
            CloseReason.THROTTLED, _AGAIN, _CROWDED, "too many said not yet who they are"
        ),
        _R.INPUT_RATE_EXCEEDED: Ending(CloseReason.THROTTLED, _NEVER, 0.0, "the service says that we moved too often"),
        _R.DISCRETE_EVENT_RATE_EXCEEDED: Ending(
            CloseReason.THROTTLED, _NEVER, 0.0, "the service says that we did too much at once"
        ),
        _R.INVALID_INPUT_FIELD: Ending(
            CloseReason.BAD_REQUEST, _NEVER, 0.0, "the service did not like a movement of ours"
        ),
        _R.INVALID_EMOTE_FIELD: Ending(
            CloseReason.BAD_REQUEST, _NEVER, 0.0, "the service did not like an emote of ours"
        ),
        _R.INVALID_TELEPORT_FIELD: Ending(
            CloseReason.BAD_REQUEST, _NEVER, 0.0, "the service did not like a jump of ours"
        ),
        _R.HANDSHAKE_REPLAY_REJECTED: Ending(CloseReason.BAD_REQUEST, _NEVER, 0.0, "the service had our proof before"),
        _R.INVALID_HANDSHAKE_FIELD: Ending(
            CloseReason.BAD_REQUEST, _NEVER, 0.0, "the service did not like our handshake"
        ),
        _R.PACKET_CORRUPTED: Ending(CloseReason.BAD_REQUEST, _NEVER, 0.0, "the service could not read us"),
        _R.IP_CONNECTION_LIMIT_EXCEEDED: Ending(
            CloseReason.THROTTLED, _AGAIN, _ADDRESS, "too many players of our address"
        ),
        _R.SCENE_LISTENER_IP_LIMIT_EXCEEDED: Ending(
            CloseReason.THROTTLED, _AGAIN, _ADDRESS, "too many listeners of our address"
        ),
        _R.INVALID_SCENE_LISTENER_FIELD: Ending(
            CloseReason.BAD_REQUEST, _NEVER, 0.0, "the service did not like what we want to watch"
        ),
    }
)
"""By number."""


def ending(code: int) -> Ending:
    """What a number means; one that is newer than this library passes for a lasting trouble of the service's."""
    return ENDINGS.get(code) or Ending(CloseReason.PROTOCOL, _AGAIN, _FULL, f"the service says {code}")


def refused(error: str) -> Ending:
    """What a refused handshake means, by the service's own free text."""
    words = read_words(error, _LONGEST_WORDS)
    if Topic.BAN in words.topics:
        return ENDINGS[_R.BANNED]._replace(detail=words.shown)
    return ENDINGS[_R.AUTH_FAILED]._replace(
        detail=f"the service did not accept who we are: {words.shown or 'it does not say why'}"
    )
