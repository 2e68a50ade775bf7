"""Why a LiveKit server lets nobody in, and why a room ends, in our words.

A refusal is an HTTP status at the upgrade, before any message; what the server means by it is the text of the same
request to ``/validate``.  Statuses and texts are those of livekit-server 1.13.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_core.proto import livekit
from dcl_comms_core.states import CloseReason
from dcl_comms_core.tools.secrets import without_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LEFT_FOR", "read_leave", "read_refusal"]

# The first whose status and piece of text fit decides.
_REFUSALS: Final = (
    (401, "token is expired", CloseReason.TOKEN_EXPIRED),
    (401, "token is not valid yet", CloseReason.TOKEN_NOT_YET_VALID),
    (401, "token not valid yet", CloseReason.TOKEN_NOT_YET_VALID),
    (401, "permissions denied", CloseReason.PERMISSION),
    (401, "", CloseReason.AUTHENTICATION),
    (403, "", CloseReason.PERMISSION),
    (404, "", CloseReason.NOT_FOUND),
    (429, "", CloseReason.THROTTLED),
)
_CLIENT_ERRORS: Final = range(400, 500)
_FULL: Final = "the server took the token, and not us: a room at its max_participants answers so"
_MOVED: Final = "the server is elsewhere, and nobody is followed: use the URL that it leads to"
# What the server says of these, if anything, says less.
_MEANT: Final = MappingProxyType({500: _FULL, **dict.fromkeys((301, 302, 303, 307, 308), _MOVED)})

LEFT_FOR: Final[Mapping[livekit.DisconnectReason, CloseReason]] = MappingProxyType(
    {
        livekit.DisconnectReason.CLIENT_INITIATED: CloseReason.CLIENT,
        livekit.DisconnectReason.DUPLICATE_IDENTITY: CloseReason.DUPLICATE_IDENTITY,
        livekit.DisconnectReason.SERVER_SHUTDOWN: CloseReason.SERVER_SHUTDOWN,
        livekit.DisconnectReason.PARTICIPANT_REMOVED: CloseReason.REMOVED,
        livekit.DisconnectReason.ROOM_DELETED: CloseReason.ROOM_DELETED,
        livekit.DisconnectReason.ROOM_CLOSED: CloseReason.ROOM_DELETED,
        livekit.DisconnectReason.STATE_MISMATCH: CloseReason.PROTOCOL,
        livekit.DisconnectReason.JOIN_FAILURE: CloseReason.PROTOCOL,
        livekit.DisconnectReason.CONNECTION_TIMEOUT: CloseReason.TIMEOUT,
    }
)
"""What a reason comes to; any other counts as a lost connection."""


def read_leave(leave: livekit.LeaveRequest) -> tuple[CloseReason, str]:
    """Why the server ends our stay, and the same in words.

    Whom it wants to join anew has lost a connection, whatever its reason is: servers from before the actions say so by
    ``can_reconnect``.  That we want to leave is its answer to who said so; to others it means nothing.
    """
    reason = LEFT_FOR.get(leave.reason, CloseReason.NETWORK)
    again = leave.can_reconnect or leave.action is not livekit.LeaveAction.DISCONNECT
    if again or reason is CloseReason.CLIENT:
        reason = CloseReason.NETWORK
    return reason, f"the server hung up: {leave.reason.name or leave.reason.value}"


def read_refusal(status: int, text: str) -> tuple[CloseReason, str]:
    """Why the server refused, and the same in words that are safe to show.

    ``text``: what ``/validate`` says, or nothing.
    """
    reason = next((reason for code, piece, reason in _REFUSALS if status == code and piece in text), None)
    if reason is None:
        reason = CloseReason.BAD_REQUEST if status in _CLIENT_ERRORS else CloseReason.UNREACHABLE
    words = _MEANT.get(status) or without_tokens(text).strip()
    return reason, f"HTTP {status}: {words}" if words else f"HTTP {status}"
