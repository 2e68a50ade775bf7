"""Scripts: what others do in a room, and when.  ``at`` is virtual seconds from the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcl_comms_core.proto import rfc4
    from dcl_comms_core.simulation.settings import Faults

__all__ = [
    "Action", "Cut", "Delete", "Heal", "Join", "Leave", "Move", "Raw", "Remove", "Restart", "Say", "Send", "SetFaults",
    "ShutDown",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Action:
    """Anything that a script can hold: one of the classes below."""

    at: float
    """Virtual seconds."""


@dataclass(frozen=True, slots=True)
class _Personal(Action):
    who: str
    """An identity."""


@dataclass(frozen=True, slots=True)
class Join(_Personal):
    """A peer comes, or comes again."""


@dataclass(frozen=True, slots=True)
class Say(_Personal):
    """A peer writes."""

    text: str
    to: tuple[str, ...] | None = None
    """Identities; None: everybody."""


@dataclass(frozen=True, slots=True)
class Move(_Personal):
    """A peer is somewhere: metres."""

    position: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Send(_Personal):
    """A peer sends a packet to everybody."""

    packet: rfc4.Packet


@dataclass(frozen=True, slots=True)
class Raw(_Personal):
    """A peer sends bytes as they are, whatever they mean."""

    data: bytes
    to: tuple[str, ...] | None = None
    reliable: bool = True
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Leave(_Personal):
    """A peer leaves."""


@dataclass(frozen=True, slots=True)
class Cut(_Personal):
    """Somebody, the bot too, can't reach the server from now on."""


@dataclass(frozen=True, slots=True)
class Heal(_Personal):
    """It can again."""


@dataclass(frozen=True, slots=True)
class Remove(_Personal):
    """A moderator puts somebody out."""


@dataclass(frozen=True, slots=True)
class Delete(Action):
    """The room is deleted: everybody is out, and may come again."""


@dataclass(frozen=True, slots=True)
class ShutDown(Action):
    """The server ends."""


@dataclass(frozen=True, slots=True)
class Restart(Action):
    """The server is back."""


@dataclass(frozen=True, slots=True)
class SetFaults(Action):
    """The network behaves otherwise from now on."""

    faults: Faults
