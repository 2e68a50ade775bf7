"""What the engine's words and numbers mean: why a connect failed, and why a room ended.

A failed connect is one English sentence without a code.  The pieces that are looked for here were each provoked with
livekit 1.2.1 and livekit-server 1.13.5; what matches none of them counts as unreachable, which invites a retry.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_core.states import CloseReason
from dcl_comms_drivers.livekit.errors import redact
from dcl_comms_drivers.net.dial import OWN_AUTHORITY

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DISCONNECT_REASONS", "connect_failure", "disconnect_reason"]

_PREFIXES: Final = ("engine: ", "signal failure: ", "client error: ")

# In this order: the first piece that is found decides.
_CONNECT: Final = (
    ("token is expired", CloseReason.TOKEN_EXPIRED),
    ("token is not valid yet", CloseReason.TOKEN_NOT_YET_VALID),
    ("token not valid yet", CloseReason.TOKEN_NOT_YET_VALID),
    ("permissions denied", CloseReason.PERMISSION),
    ("403 ", CloseReason.PERMISSION),
    ("401 ", CloseReason.AUTHENTICATION),
    ("404 ", CloseReason.NOT_FOUND),
    ("400 ", CloseReason.BAD_REQUEST),
    ("failed to parse the url", CloseReason.BAD_REQUEST),
    ("InvalidContentType", CloseReason.TLS),
    ("certificate", CloseReason.TLS),
    ("TLS", CloseReason.TLS),
    ("tls", CloseReason.TLS),
    ("received fatal alert", CloseReason.TLS),
    ("timed out", CloseReason.TIMEOUT),
    ("timeout", CloseReason.TIMEOUT),
    ("server error: 5", CloseReason.UNREACHABLE),
)

_MOVED: Final = "the server is elsewhere, and the engine follows nobody: use the URL that it leads to"
# What the engine tells of these is the status and no more, which sounds as if no server were there.
_MEANT: Final = (
    ("handshake error: 500 ", "the server took the token, and not us: a room at its max_participants answers so"),
    *((f"handshake error: {status} ", _MOVED) for status in (301, 302, 303, 307, 308)),
)

DISCONNECT_REASONS: Final[Mapping[str, CloseReason]] = MappingProxyType(
    {
        "UNKNOWN_REASON": CloseReason.NETWORK,
        "CLIENT_INITIATED": CloseReason.CLIENT,
        "DUPLICATE_IDENTITY": CloseReason.DUPLICATE_IDENTITY,
        "SERVER_SHUTDOWN": CloseReason.SERVER_SHUTDOWN,
        "PARTICIPANT_REMOVED": CloseReason.REMOVED,
        "ROOM_DELETED": CloseReason.ROOM_DELETED,
        "ROOM_CLOSED": CloseReason.ROOM_DELETED,
        "STATE_MISMATCH": CloseReason.PROTOCOL,
        "JOIN_FAILURE": CloseReason.PROTOCOL,
        "MIGRATION": CloseReason.NETWORK,
        "SIGNAL_CLOSE": CloseReason.NETWORK,
        "CONNECTION_TIMEOUT": CloseReason.TIMEOUT,
        "MEDIA_FAILURE": CloseReason.NETWORK,
    }
)
"""LiveKit's names of disconnect reasons; any other name counts as a lost connection."""


def connect_failure(text: str, token: str = "") -> tuple[CloseReason, str]:
    """Why a connect failed, and the same in words that are safe to show."""
    reason = next((reason for piece, reason in _CONNECT if piece in text), CloseReason.UNREACHABLE)
    detail = redact(text, token).strip()
    for prefix in _PREFIXES:
        detail = detail.removeprefix(prefix)
    meant = next((f": {words}" for piece, words in _MEANT if piece in text), "")
    return reason, detail + (OWN_AUTHORITY if "invalid peer certificate" in detail else meant)


def disconnect_reason(name: str) -> CloseReason:
    """Why a room ended, from LiveKit's name of the reason."""
    return DISCONNECT_REASONS.get(name, CloseReason.NETWORK)
