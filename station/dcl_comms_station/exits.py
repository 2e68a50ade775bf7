"""Exit codes, and which failure has which.

====  ==============================================================================================
code  meaning
====  ==============================================================================================
0     done
1     ``demo``, ``replay``: a check failed; else a bug of ours
2     usage: arguments, a connection string that can't be read, something that is not installed, a recording that
      can't be written
3     refused: authentication, permission, no place, a ban, removed, the same identity joined elsewhere
4     network: unreachable, timeout, TLS, lost, the addressee never came
5     protocol: bytes that are no packet, no journal or no recording, a server that broke the rules, the native engine
      failed
130   interrupted by Ctrl-C, after leaving the room (143: by SIGTERM)
====  ==============================================================================================
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.extras import ExtraMissing

from dcl_comms_core.errors import (
    CommsError,
    ConnectionLost,
    DecodeError,
    InvalidJournal,
    PermissionMissing,
    RemoteProtocolError,
    SendQueueFull,
    TargetProblem,
    TokenError,
)
from dcl_comms_core.states import CloseReason
from dcl_comms_station.clean import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CLOSE_EXITS", "AddresseeMissing", "Exit", "Failed", "Interrupted", "explain"]


class Exit(IntEnum):
    """What the process answers."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NETWORK = 4
    PROTOCOL = 5
    INTERRUPTED = 130


CLOSE_EXITS: Final[Mapping[CloseReason, Exit]] = MappingProxyType(
    {
        CloseReason.CLIENT: Exit.OK,
        CloseReason.DUPLICATE_IDENTITY: Exit.REFUSED,
        CloseReason.REMOVED: Exit.REFUSED,
        CloseReason.ROOM_DELETED: Exit.REFUSED,
        CloseReason.TOKEN_EXPIRED: Exit.REFUSED,
        CloseReason.TOKEN_NOT_YET_VALID: Exit.REFUSED,
        CloseReason.AUTHENTICATION: Exit.REFUSED,
        CloseReason.PERMISSION: Exit.REFUSED,
        CloseReason.NOT_FOUND: Exit.NETWORK,
        CloseReason.BAD_REQUEST: Exit.PROTOCOL,
        CloseReason.UNREACHABLE: Exit.NETWORK,
        CloseReason.TLS: Exit.NETWORK,
        CloseReason.TIMEOUT: Exit.NETWORK,
        CloseReason.SERVER_SHUTDOWN: Exit.NETWORK,
        CloseReason.NETWORK: Exit.NETWORK,
        CloseReason.PROTOCOL: Exit.PROTOCOL,
        CloseReason.ENGINE: Exit.PROTOCOL,
        CloseReason.OVERFLOW: Exit.NETWORK,
        CloseReason.BANNED: Exit.REFUSED,
        CloseReason.FORBIDDEN: Exit.REFUSED,
        CloseReason.NOT_SIGNED: Exit.REFUSED,
        CloseReason.REJECTED: Exit.REFUSED,
        CloseReason.ROOM_FULL: Exit.REFUSED,
        CloseReason.SIGNING_REFUSED: Exit.REFUSED,
        CloseReason.NO_WALLET: Exit.REFUSED,
        CloseReason.DENIED: Exit.REFUSED,
        CloseReason.WRONG_SECRET: Exit.REFUSED,
        CloseReason.BLOCKED: Exit.REFUSED,
        CloseReason.THROTTLED: Exit.REFUSED,
        CloseReason.CLOCK: Exit.REFUSED,
        CloseReason.ROOM_TAKEN: Exit.REFUSED,
    }
)
"""The exit code for every reason that a room can end."""

_EXTRAS: Final = {
    "livekit": "livekit",
    "trio": "trio",
}


class Failed(CommsError):
    """A command can't go on; ``exit_code`` says what kind of failure it is, the text is one line for people."""

    def __init__(self, exit_code: Exit, text: str) -> None:
        super().__init__(exit_code, text)
        self.exit_code = exit_code
        self.text = text

    def __str__(self) -> str:
        return clean(self.text)


class AddresseeMissing(Failed):
    """Somebody whom a message is for did not come in time."""

    def __init__(self, identities: list[str], seconds: float) -> None:
        names = ", ".join(clean(identity) for identity in identities)
        super().__init__(Exit.NETWORK, f"nothing was sent: not in the room within {seconds:g} s: {names}")


class Interrupted(Exception):
    """A signal ended the command; the room was left."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number


def explain(error: BaseException) -> tuple[int, str] | None:
    """The exit code and one line for people; None for what is no failure that we know: a bug."""
    if isinstance(error, ExtraMissing):
        return Exit.USAGE, str(error)
    if isinstance(error, ModuleNotFoundError) and (extra := _EXTRAS.get((error.name or "").partition(".")[0])):
        return Exit.USAGE, f'{error.name} is not installed: pip install "dcl-comms[{extra}]"'
    if not isinstance(error, CommsError):
        return None
    text = clean(str(error), limit=500)
    if isinstance(error, ConnectionLost) and error.reason is CloseReason.NO_WALLET:
        # A command is a guest where it is told nothing else, if it can be.
        text += ': pip install "dcl-comms[wallet]"'
    if (
        isinstance(error, ConnectionLost)
        and error.reason is CloseReason.FORBIDDEN
        and TargetProblem.PLAIN.value in text
    ):
        text += ": --plain asks for it"
    return _exit_of(error), text


def _exit_of(error: CommsError) -> Exit:
    match error:
        case Failed():
            return error.exit_code
        case ConnectionLost():
            return CLOSE_EXITS[error.reason]
        case TokenError() | PermissionMissing():
            return Exit.REFUSED
        case DecodeError() | InvalidJournal() | RemoteProtocolError():
            return Exit.PROTOCOL
        case SendQueueFull():
            return Exit.NETWORK
        case _:
            # An unreadable connection string, a packet too large, a target of a kind that can't be opened: all of them
            # are about what was asked for.
            return Exit.USAGE
