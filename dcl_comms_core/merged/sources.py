"""Seams beside the rooms: other transports that tell where peers are, or which island is ours.

Decentraland is moving avatar movement, and with it the choice of islands, to services of their own.  Whatever speaks
to such a service is a machine like those of the core: facts come in through ``receive``, what its transport is to do
comes out of ``commands()``, what happened out of ``events()``, and time is what it is told.  A
:class:`~dcl_comms_core.merged.session.MergedRooms` takes a MovementSource with ``attach``.  ArchipelagoSession is an
IslandSource.  ``dcl_comms_core.testing`` has one of each that works in memory, as examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dcl_comms_core.peers import EVERYONE

if TYPE_CHECKING:
    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.inputs import Input, LinkRef
    from dcl_comms_core.peers import Addressees
    from dcl_comms_core.proto import rfc4

__all__ = ["Emoting", "IslandSource", "MovementSource", "Placing", "Preferring", "RealmFollowing", "Signing"]


class IslandSource(Protocol):
    """Something that tells which island's room is ours, by where we are.

    It owes IslandChanged, with an adapter that can be used at once, whenever our island becomes another one; and
    RealmClosed as its last event; no exception for anything that came from outside.  One that tells SignatureNeeded
    has the verbs of :class:`Signing` too.
    """

    @property
    def room(self) -> str:
        """The label in its events."""
        ...

    def open(self, *, now: float | None = None) -> None:
        """Begin."""
        ...

    def close(self, *, now: float | None = None) -> None:
        """End; RealmClosed follows."""
        ...

    def set_position(self, position: tuple[float, float, float], *, now: float | None = None) -> None:
        """Say where we are, in metres: x east, y up, z north."""
        ...

    def renew(self, *, now: float | None = None) -> None:
        """Ask for a new adapter of our island: IslandChanged follows, also where the island is the same."""
        ...

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact from outside: ClockSet, or what its own link tells."""
        ...

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        ...

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest."""
        ...

    def commands(self) -> list[Command]:
        """Take everything that its transport is to do."""
        ...

    def events(self) -> list[Event]:
        """Take everything that happened."""
        ...


@runtime_checkable
class Signing(Protocol):
    """What takes the answers to SignatureNeeded."""

    def provide_signature(self, request: int, chain: AuthChain, *, now: float | None = None) -> None:
        """Take a signature.  One that nobody waits for any more is ignored."""
        ...

    def refuse_signature(self, request: int, detail: str = "", *, now: float | None = None) -> None:
        """Nobody will sign."""
        ...


@runtime_checkable
class Preferring(Protocol):
    """What can be told which island we would rather be on."""

    def set_desired_room(self, island: str | None, *, now: float | None = None) -> None:
        """Prefer an island, of those that are near; None: any.  It is remembered."""
        ...


@runtime_checkable
class RealmFollowing(Protocol):
    """What has to know which realm we are in."""

    def set_realm(self, name: str | None, *, now: float | None = None) -> None:
        """Be in the realm of this name, as its ``/about`` writes it; None: it says none."""
        ...


@runtime_checkable
class Placing(Protocol):
    """A movement source that an island may come of: the service behind it forms them by where its players are.

    So it is told where we are although we never move.
    """

    @property
    def places(self) -> bool:
        """Whether it does, as it was made: who only watches is on no island."""
        ...

    def set_position(self, position: tuple[float, float, float], *, now: float | None = None) -> None:
        """Be somewhere, in metres (x east, y up, z north); before ``open()``, and where no movement says it."""
        ...


@runtime_checkable
class Emoting(Protocol):
    """A movement source whose service is told more of an emote than a Packet holds."""

    def show_emote(self, emote: rfc4.PlayerEmote, duration: float | None, *, now: float | None = None) -> None:
        """Play an emote, or stop it, to everybody: instead of ``send_bytes`` with the same message.

        ``duration``: seconds after which it is over; None: when it is stopped.
        """
        ...


class MovementSource(Protocol):
    """A transport beside the rooms that tells where peers are, and that we tell where we are.

    It owes what a RoomSession owes: PeerJoined and PeerLeft for each peer that it tells of, at most Limits.peers at a
    time; RoomOpened; no exception for anything that came from outside.  What it loses it comes back to by itself, with
    pauses, and says so in a Warning (SOURCE_UNREACHABLE); RoomClosed is its last event, after which nothing helps.
    Its label is none of ``island``, ``scene`` and ``realm``.

    One that tells SignatureNeeded has the verbs of :class:`Signing` too; :class:`RealmFollowing`, :class:`Placing` and
    :class:`Emoting` are what it may be told beside.  While it has a peer, each movement, emote and profile version is
    told once, whatever rooms repeat.  A movement of ours with ``is_instant`` is a jump: the first one, and a user's.
    """

    @property
    def room(self) -> str:
        """The label in its events."""
        ...

    @property
    def link(self) -> LinkRef:
        """Its link, as its commands name it now; the number is MergedRooms.new_link's."""
        ...

    @property
    def sending(self) -> bool:
        """Whether packets are taken now."""
        ...

    def open(self, *, now: float | None = None) -> None:
        """Begin."""
        ...

    def close(self, *, drain: float | None = None, now: float | None = None) -> None:
        """End; RoomClosed follows."""
        ...

    def send_bytes(
        self,
        data: bytes,
        *,
        to: Addressees = EVERYONE,
        reliable: bool = True,
        topic: str = "",
        now: float | None = None,
    ) -> None:
        """Take an encoded Packet of ours: a movement, an emote or a profile version."""
        ...

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact from outside: ClockSet, or what its own link tells."""
        ...

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        ...

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest."""
        ...

    def commands(self) -> list[Command]:
        """Take everything that its transport is to do."""
        ...

    def events(self) -> list[Event]:
        """Take everything that happened: PeerMoved first of all."""
        ...
