"""Scripts: what others do in a room, and when.  ``at`` is virtual seconds from the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcl_comms_core.events import ChatReceived, PacketEvent
from dcl_comms_core.inputs import TrackKind, TrackSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.deployment.deployment import Service
    from dcl_comms_core.events import Event
    from dcl_comms_core.proto import rfc4
    from dcl_comms_core.simulation.settings import Faults

__all__ = [
    "Action", "Ban", "Cut", "Delete", "Emote", "Heal", "Join", "Kill", "Leave", "Move", "Mute", "Offer", "On", "OnChat",
    "Publish", "Raw", "React", "Remove", "Restart", "Revive", "Say", "Send", "SetFaults", "ShutDown", "ToIsland",
    "Unpublish",
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
class Emote(_Personal):
    """A peer plays an emote."""

    urn: str
    stop: bool = False
    """It ends."""


@dataclass(frozen=True, slots=True)
class React(_Personal):
    """A peer reacts with an emoji: its index, as ``room.react`` takes it."""

    emoji: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Offer(_Personal):
    """A peer announces a profile from now on, and answers those who ask for it."""

    version: int
    profile: str = ""
    """Its JSON; empty: it is announced, and nobody is answered."""


@dataclass(frozen=True, slots=True)
class Publish(_Personal):
    """A peer publishes a track, which is told and carries nothing; in the place of one of the same name."""

    name: str = "mic"
    kind: TrackKind = TrackKind.AUDIO
    source: TrackSource = TrackSource.MICROPHONE
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Unpublish(_Personal):
    """A peer takes its track of this name back."""

    name: str = "mic"


@dataclass(frozen=True, slots=True)
class Mute(_Personal):
    """A peer mutes its track of this name, or unmutes it."""

    name: str = "mic"
    muted: bool = True


@dataclass(frozen=True, slots=True)
class On(_Personal):
    """From then on a peer answers what it is told: ``On(0.0, "alice", PeerJoined, Say(1.0, "alice", "welcome"))``."""

    kind: type[Event]
    """Of event."""
    then: Action | tuple[Action, ...]
    """What happens each time; their ``at`` counts from there."""
    where: Callable[[Event], bool] | None = None
    """Which of these events; None: all."""
    times: int | None = None
    """How often at most; None: always."""

    def matches(self, event: Event) -> bool:
        """Whether that is answered."""
        return isinstance(event, self.kind) and (self.where is None or self.where(event))


@dataclass(frozen=True, slots=True)
class OnChat(_Personal):
    """From then on a peer answers chat: ``OnChat(0.0, "alice", Say(1.0, "alice", "4"), contains="2+2")``."""

    then: Action | tuple[Action, ...]
    """What happens each time; their ``at`` counts from there."""
    contains: str = ""
    """What has to be in the text."""
    sender: str | None = None
    """Who has to have said it; None: anybody."""
    private: bool | None = None
    """Whether it has to be private; None: either."""
    times: int | None = None
    """How often at most; None: always."""

    def matches(self, event: Event) -> bool:
        """Whether that is answered."""
        return (
            isinstance(event, ChatReceived)
            and self.contains in event.text
            and self.sender in {None, _who(event)}
            and self.private in {None, event.private}
        )


def _who(event: PacketEvent) -> str | None:
    return None if event.sender is None else event.sender.text


@dataclass(frozen=True, slots=True)
class Leave(_Personal):
    """A peer leaves."""


@dataclass(frozen=True, slots=True)
class ToIsland(_Personal):
    """Somebody, the bot too, is on another island from now on, whose room is another.  All begin on ``stage``.

    Who is cut off stays on its own, and can't reach it.

    Where a script has one, each bot is in a realm: IslandChanged tells its islands, and rooms are called ``island``.
    """

    island: str
    """Any name."""


@dataclass(frozen=True, slots=True)
class Cut(_Personal):
    """Somebody, the bot too, can't reach the server from now on.

    In a deployment: none of its servers, or not the one that is named.
    """

    service: Service | None = None


@dataclass(frozen=True, slots=True)
class Heal(_Personal):
    """It can again."""

    service: Service | None = None


@dataclass(frozen=True, slots=True)
class Remove(_Personal):
    """A moderator puts somebody out."""


@dataclass(frozen=True, slots=True)
class Ban(_Personal):
    """A deployment's realm throws somebody out of everything, and does not let it in again."""


@dataclass(frozen=True, slots=True)
class Kill(Action):
    """A server of a deployment ends without a word: ``realm``, ``pulse`` or ``rooms``."""

    service: Service


@dataclass(frozen=True, slots=True)
class Revive(Action):
    """It is back, with nobody there."""

    service: Service


@dataclass(frozen=True, slots=True)
class Delete(Action):
    """The room, of the bot's island, is deleted: everybody is out, and may come again."""


@dataclass(frozen=True, slots=True)
class ShutDown(Action):
    """The server, of the bot's island, ends; that of a deployment's rooms."""


@dataclass(frozen=True, slots=True)
class Restart(Action):
    """That server is back."""


@dataclass(frozen=True, slots=True)
class SetFaults(Action):
    """The network behaves otherwise from now on."""

    faults: Faults
