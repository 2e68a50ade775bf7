"""What users get wrong, and are told before the program runs.  mypy's mark is `type: ignore`, basedpyright's its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Never

from dcl_comms_drivers import polled
from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.pump import Pump
from dcl_comms_drivers.testing import run_bot

from dcl_comms_core import (
    ChallengeGuard,
    ChatReceived,
    PeerMoved,
    RoomClosed,
    RoomOpened,
    RoomSession,
    SendData,
    SimulatorAdapter,
    WorldSession,
    WsRoomAdapter,
    WsRoomSession,
)

if TYPE_CHECKING:
    from dcl_comms_drivers.asyncio import Connection
    from dcl_comms_drivers.pump import Host, Link

    from dcl_comms_core.events import Event


async def verbs(room: Connection) -> None:
    room.chat(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    room.chat("x", to=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    room.chat("x", to=[1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    room.chat("x", to=b"0x2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    room.chat("x", private=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    room.move((1.0, 2.0))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    room.send_bytes("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    room.enter_scene("bafy", "0,0")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    print(room.realm.name)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    room.wait_for("ChatReceived")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    room.listen(ChatReceived, on_full=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    for _ in room:  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        pass


def settings() -> None:
    connect("x", reconect=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    connect("x", timeout="5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    connect("x", wallet="0xKey")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    connect(b"x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    polled.open("x", position=(0.0, 0.0))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with connect("x"):  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass


def events(event: Event) -> None:
    len(event.text)  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    match event:
        case ChatReceived(sender=who):
            print(who.text)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
        case PeerMoved(position=position):
            position.x = 1.0  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
        case _:
            pass


def incomplete(event: RoomOpened | RoomClosed) -> None:
    match event:
        case RoomOpened():
            pass
        case _:
            never(event)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def never(_: Never) -> None: ...


def sessions(host: Host, link: Link) -> None:
    RoomSession("livekit:wss://host")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    WsRoomSession(WsRoomAdapter("ws://h/rooms/x"), guard=ChallengeGuard())  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    WsRoomSession(SimulatorAdapter("x"), address="0x", guard=ChallengeGuard())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    session = RoomSession(SimulatorAdapter("x"))
    session.receive(SendData, now=0.0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    session.receive_data("a", b"")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Pump(WorldSession("https://realm.example"), host, link, print)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Pump(session, host, None, print)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def kit() -> None:
    run_bot(lambda: None)  # type: ignore[arg-type,misc]  # pyright: ignore[reportArgumentType]
    run_bot(verbs, backend="curio")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
