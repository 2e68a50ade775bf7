"""The core in somebody's own loop: sessions, commands, inputs, and a driver's Host and Link."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, assert_never, assert_type

from dcl_comms_drivers.pump import Host, Link, Pump, Receiver, Session

from dcl_comms_core import (
    ArchipelagoAdapter,
    ArchipelagoSession,
    ArchipelagoState,
    Backoff,
    CancelFetch,
    ChallengeGuard,
    ClockSet,
    CloseDatagrams,
    CloseLink,
    CloseSocket,
    Fetch,
    LinkOpened,
    LinkRef,
    LocalProtocolError,
    MergedRooms,
    OpenDatagrams,
    OpenLink,
    OpenSocket,
    Participant,
    PublishMicrophone,
    RoomRole,
    RoomSession,
    RoomState,
    SendData,
    SendDatagram,
    SendFrame,
    SetAttributes,
    SimulatorAdapter,
    Stage,
    SubscribeTrack,
    WorldSession,
    WsRoomAdapter,
    WsRoomSession,
    parse_connection_string,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event

ADDRESS = "0x" + "1f" * 20


def carry_out(command: Command) -> LinkRef:
    """A match that a type checker takes for complete: a new command would be told here."""
    match command:
        case OpenLink(link=link, adapter=adapter):
            assert_type(adapter.to_connection_string(), str)
        case CloseLink(link=link, drain=drain) | CloseSocket(link=link, drain=drain):
            assert_type(drain, float)
        case SendData(link=link, token=token, to=to):
            assert_type(token, int)
            assert_type(to, tuple[str, ...] | None)
        case SetAttributes(link=link) | PublishMicrophone(link=link) | SubscribeTrack(link=link):
            pass
        case OpenSocket(link=link, url=url):
            assert_type(url, str)
        case OpenDatagrams(link=link, host=host, port=port):
            assert_type(host, str)
            assert_type(port, int)
        case CloseDatagrams(link=link):
            pass
        case SendFrame(link=link, data=data) | SendDatagram(link=link, data=data):
            assert_type(data, bytes)
        case Fetch(link=link) | CancelFetch(link=link):
            pass
        case _:
            assert_never(command)
    return link


def canonical_loop(text: str, now: float, arm: Callable[[float | None], None]) -> list[Event]:
    session = RoomSession(parse_connection_string(text), reconnect=Backoff(), subscribe=lambda _who, _track: False)
    session.receive(ClockSet(unix_offset=1.8e9), now=now)
    session.open(now=now)
    for command in session.commands():
        link = carry_out(command)
        session.receive(
            LinkOpened(link=link, identity="me", room="r", participants=(Participant(identity="a"),)), now=now
        )
    session.receive_data("a", b"", reliable=False, now=now)
    session.receive_acknowledged([1, 2], now=now)
    session.handle_timeout(now)
    arm(session.deadline())
    assert_type(session.state, RoomState)
    return session.events()


def others(now: float) -> None:
    guard = ChallengeGuard().allowing("ws://127.0.0.1/rooms/x")
    ws = WsRoomSession(WsRoomAdapter("ws://127.0.0.1/rooms/x"), address=ADDRESS, guard=guard)
    assert_type(ws.stage, Stage)
    islands = ArchipelagoSession(ArchipelagoAdapter("ws://127.0.0.1/ws"), address=ADDRESS, guard=guard)
    assert_type(islands.state, ArchipelagoState)
    islands.set_position((0.0, 0.0, 0.0), now=now)
    merged = MergedRooms(address=ADDRESS, guard=guard)
    merged.go(SimulatorAdapter("a"), RoomRole.ISLAND, now=now)
    assert_type(merged.join(SimulatorAdapter("b"), RoomRole.OTHER, room="b"), RoomSession)
    world = WorldSession("https://realm.example", address=ADDRESS, reconnect=Backoff())
    world.enter_scene("bafy", (0, 0), now=now)
    assert_type(world.commands(), "list[Command]")
    machine: Session
    for machine in (ws, RoomSession(SimulatorAdapter("a"))):
        machine.handle_timeout(now)


class OwnHost:
    def __init__(self) -> None:
        self.due: float | None = None

    def now(self) -> float:
        return 0.0

    def call_at(self, when: float | None, callback: Callable[[], None]) -> None:
        del callback
        self.due = when

    def wake(self, callback: Callable[[], None]) -> None:
        callback()

    def wake_fd(self, callback: Callable[[], None]) -> int | None:
        del callback
        return None

    def runner(self) -> NoReturn:
        raise NotImplementedError


class OwnLink:
    name: ClassVar[str] = "own"

    def execute(self, command: Command, *, now: float) -> None:
        del command, now

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        session.receive_data(None, b"", topic="", now=now)
        session.receive_acknowledged(range(limit), now=now)
        return False

    def deadline(self) -> float | None:
        return None

    def measure(self, then: Callable[[float | None], None]) -> None:
        then(None)

    def hasten(self) -> None:
        return

    def abandon(self) -> None:
        raise LocalProtocolError("nothing to let go of")


def pumped(on_events: Callable[[list[Event]], None]) -> None:
    session = WsRoomSession(WsRoomAdapter("ws://127.0.0.1/rooms/x"), address=ADDRESS, guard=ChallengeGuard())
    host: Host = OwnHost()
    link: Link = OwnLink()
    pump = Pump(session, host, link, on_events, turn_inputs=100)
    pump.turn()
    pump.carry_out()
