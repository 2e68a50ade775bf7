"""A RoomSession on a bench: told what its transport says, asked what it wants and what it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from rigs.core.tokens import make_token
from rigs.core.waits import check

from dcl_comms_core import (
    Backoff,
    ClockSet,
    CloseLink,
    CloseReason,
    CommandCompleted,
    LinkClosed,
    LinkOpened,
    LinkReconnecting,
    LinkRef,
    LiveKitAdapter,
    OpenLink,
    Packet,
    Participant,
    RoomSession,
    RoomState,
    SendAcknowledged,
    SendData,
    SimulatorAdapter,
    Timer,
    encode,
    parse_connection_string,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcl_comms_core import Adapter

T = TypeVar("T")

UNIX = 1_800_000_000.0
"""What the wall clock says at monotonic 0, where a test sets it."""
ME = "0x00112233445566778899aabbccddeeff00112233"
STEADY = Backoff(initial=1.0, factor=2.0, maximum=8.0, jitter=0.0, attempts=3)
"""Pauses of 1, 2 and 4 seconds."""


def livekit(**token: Any) -> LiveKitAdapter:
    """Somewhere to go, with a token that is good for 300 s from virtual time 0 unless told otherwise."""
    text = make_token(**{"now": UNIX, **token})
    adapter = parse_connection_string(f"livekit:wss://comms.example.com?access_token={text}")
    assert isinstance(adapter, LiveKitAdapter)
    return adapter


def people(*identities: str, sid: str = "PA_") -> tuple[Participant, ...]:
    return tuple(Participant(identity=identity, sid=sid + identity) for identity in identities)


def wire(**member: Any) -> bytes:
    """The bytes of a Packet with one member."""
    return encode(Packet(**member, protocol_version=100))


class Rig:
    """A session, what it asked for and what it told so far, and the time."""

    def __init__(self, adapter: Adapter | None = None, *, clock: bool = True, **options: Any) -> None:
        self.session = RoomSession(adapter or SimulatorAdapter("room"), **options)
        self.now = 0.0
        self.link = LinkRef(1, 0)
        self.commands: list[Any] = []
        self.events: list[Any] = []
        if clock:
            self.session.receive(ClockSet(unix_offset=UNIX), now=0.0)

    # --- the world

    def tell(self, kind: Any, /, **fields: Any) -> None:
        """The link says something."""
        self.session.receive(kind(link=self.link, **fields), now=self.now)
        self.drain()

    def data(self, data: bytes, sender: str | None = "alice", **more: Any) -> Any:
        """A packet comes; gives the one event that follows, or None."""
        self.drain()
        self.session.receive_data(sender, data, now=self.now, **more)
        events = self.session.events()
        self.events += events
        assert len(events) <= 1
        return events[0] if events else None

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.session.handle_timeout(self.now)
        self.drain()

    def timer(self) -> None:
        """Let time pass up to the deadline."""
        deadline = self.session.deadline()
        assert deadline is not None
        self.pass_time(deadline - self.now)

    def acknowledge(self, *tokens: int, error: str = "") -> None:
        for token in tokens:
            self.tell(SendAcknowledged, token=token, error=error)

    # --- the way to a state

    def open(self) -> Rig:
        self.session.open(now=self.now)
        self.drain()
        return self

    def join(self, *present: str, identity: str = ME, known: bool = True, **fields: Any) -> Rig:
        """Open, and the link is in the room; ``known``: the server told the others of us, so that packets may go out."""
        if self.session.state is RoomState.NEW:
            self.open()
        self.tell(LinkOpened, identity=identity, room="I1", participants=people(*present), **fields)
        if known and self.session.deadline_reason is Timer.ANNOUNCE:
            self.tell(CommandCompleted, what="SetAttributes")
        return self

    def lose(self, reason: CloseReason = CloseReason.NETWORK, detail: str = "") -> Rig:
        self.tell(LinkClosed, reason=reason, detail=detail)
        return self

    def fall_silent(self) -> Rig:
        """The transport repairs its connection."""
        self.tell(LinkReconnecting)
        return self

    def close(self, **options: Any) -> Rig:
        self.session.close(now=self.now, **options)
        self.drain()
        return self

    # --- what came of it

    def drain(self) -> None:
        check(self.session)
        for command in self.session.commands():
            self.commands.append(command)
            if isinstance(command, OpenLink):
                self.link = command.link
        self.events += self.session.events()

    def take_commands(self, kind: type[T]) -> list[T]:
        """The commands of one kind since the last look; those of other kinds are let go."""
        self.drain()
        taken, self.commands = self.commands, []
        return [command for command in taken if isinstance(command, kind)]

    def take_events(self, *kinds: type) -> list[Any]:
        """The events since the last look, of these kinds or of all."""
        self.drain()
        taken, self.events = self.events, []
        return [event for event in taken if not kinds or isinstance(event, kinds)]

    def sent(self) -> list[SendData]:
        return self.take_commands(SendData)

    def told_to_close(self) -> list[float]:
        """The drain time of each CloseLink since the last look."""
        return [command.drain for command in self.take_commands(CloseLink)]

    def send(self, count: int, **options: Any) -> None:
        for number in range(count):
            self.session.send_bytes(bytes([number % 256]), now=self.now, **options)


def at(state: RoomState, adapter: Adapter | None = None, **options: Any) -> Rig:
    """A rig whose session is in this state; CONNECTING is a second attempt, which may be repeated."""
    rig = Rig(adapter, **{"reconnect": STEADY, **options})
    if state is RoomState.NEW:
        return rig
    if state is RoomState.CLOSED:
        rig.close()
    else:
        rig.join()
        if state is RoomState.RECONNECTING:
            rig.fall_silent()
        elif state is RoomState.CLOSING:
            rig.close(drain=1.0)
        elif state is not RoomState.OPEN:
            rig.lose()
            if state is RoomState.CONNECTING:
                rig.timer()
    assert rig.session.state is state
    rig.take_commands(object)
    rig.take_events()
    return rig


def kinds(items: Sequence[object]) -> list[str]:
    return [type(item).__name__ for item in items]
