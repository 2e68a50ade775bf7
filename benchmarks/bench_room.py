"""RoomSession: bytes in, event out, beside the decoding that it can't do without; and with 1, 50 and 500 peers.

A WorldSession beside the RoomSession that is within: what it costs to be one of several, a turn of the pump at a time.
"""

from __future__ import annotations

import time
from functools import partial
from itertools import count, islice
from statistics import median
from typing import TYPE_CHECKING

from dcl_comms_drivers.connection.world_link import Door

from dcl_comms_core import (
    Chat,
    Limits,
    LinkOpened,
    MergedRooms,
    Movement,
    Packet,
    Participant,
    PeerId,
    PeerMoved,
    RoomRole,
    RoomSession,
    Scene,
    SimulatorAdapter,
    WorldSession,
    decode,
    encode,
    parse_connection_string,
)
from dcl_comms_core.events import MovementKind, Vector3

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.loops.host import Session

    from dcl_comms_core import LinkRef

Row = dict[str, object]

PACKETS = {
    "movement": encode(Packet(movement=Movement(timestamp=1.0, position_x=1.0, rotation_y=90.0), protocol_version=100)),
    "chat": encode(Packet(chat=Chat(message="hello", timestamp=46_000.5), protocol_version=100)),
    "scene 1 KiB": encode(Packet(scene=Scene(scene_id="bafk", data=bytes(1024)), protocol_version=100)),
}
BATCH = 3_072
SLICES = 12
"""What a batch is cut into; both sides take turns, so that what else the machine does falls on both."""
SLICE = BATCH // SLICES
TURN = 64


def open_session(peers: int) -> RoomSession:
    session = RoomSession(parse_connection_string("simulator:bench"), announce=False)
    session.open(now=0.0)
    (command,) = session.commands()
    participants = tuple(Participant(identity=f"0x{number:040x}") for number in range(peers))
    session.receive(LinkOpened(link=command.link, identity="me", room="r", participants=participants), now=0.0)
    session.events()
    return session


class Bench:
    """A session and its time, which passes so that one peer sends 20 packets a second."""

    def __init__(self, peers: int) -> None:
        self.session = open_session(peers)
        self.now = 0.0
        self.stamps = count()

    def slice(self, data: bytes) -> float:
        """Seconds for a slice of a batch, events drained as a driver does."""
        sender, now, told = f"0x{0:040x}", self.now, 0
        receive, events = self.session.receive_data, self.session.events
        # A chat message is told once, so each has a stamp of its own.
        packets = (
            [_stamped(stamp) for stamp in islice(self.stamps, SLICE)] if data == PACKETS["chat"] else [data] * SLICE
        )
        start = time.perf_counter()
        for index, packet in enumerate(packets):
            receive(sender, packet, now=now)
            if index % TURN == 0:
                told += len(events())
                now += TURN / 20
        elapsed = time.perf_counter() - start
        self.now = now
        assert told + len(events()) == SLICE
        return elapsed


def _stamped(stamp: int) -> bytes:
    return encode(Packet(chat=Chat(message="hello", timestamp=46_000.5 + stamp / 1024.0), protocol_version=100))


def time_floor(data: bytes) -> float:
    """Seconds for a slice of a batch to decode each packet and build one event."""
    who, position = PeerId("0x"), Vector3(0.0, 0.0, 0.0)
    message = decode(data)
    start = time.perf_counter()
    for _ in range(SLICE):
        decode(data)
        PeerMoved(
            at=1.0,
            room="main",
            sender=who,
            private=False,
            position=position,
            velocity=position,
            yaw=0.0,
            kind=MovementKind.MOVEMENT,
            message=message,
        )
    return time.perf_counter() - start


class Turns:
    """A session with one peer that moves, turned as ``loops/pump.py`` does it; ``per_turn`` packets wait each time."""

    def __init__(self, session: Session, receive: Callable[..., None], per_turn: int) -> None:
        self.session = session
        self.receive = receive
        self.per_turn = per_turn
        self.now = 1.0

    def slice(self) -> float:
        """Seconds for a slice of a batch."""
        session, receive, now, per_turn, told = self.session, self.receive, self.now, self.per_turn, 0
        sender, data = f"0x{0:040x}", PACKETS["movement"]
        start = time.perf_counter()
        for _ in range(SLICE // per_turn):
            now += per_turn / 20
            for _ in range(per_turn):
                receive(sender, data, now=now)
            deadline = session.deadline()
            if deadline is not None and deadline <= now:
                session.handle_timeout(now)
            while session.commands():
                pass
            events = session.events()
            told += len(events)
            while session.commands():
                pass
            session.deadline()
        elapsed = time.perf_counter() - start
        self.now = now
        assert told == SLICE
        return elapsed


def _enter(session: WorldSession | MergedRooms) -> list[LinkRef]:
    """The links of its rooms, which are open from now on."""
    links = [command.link for command in session.commands()]
    for link in links:
        opened = LinkOpened(link=link, identity="me", room="r", participants=(Participant(identity=f"0x{0:040x}"),))
        session.receive(opened, now=0.0)
    session.commands()
    session.events()
    return links


def room_turns(per_turn: int) -> Turns:
    """Of one room."""
    session = open_session(1)
    return Turns(session, session.receive_data, per_turn)


def world_turns(per_turn: int) -> Turns:
    """Of a world, whose room delivers through its door."""
    session = WorldSession("simulator:bench", announce=False)
    session.open(now=0.0)
    (link,) = _enter(session)
    return Turns(session, Door(session, link.link).receive_data, per_turn)


def merged_turns(rooms: int) -> Turns:
    """Of several rooms, of which one is spoken in."""
    session = MergedRooms(announce=False, limits=Limits(rooms=rooms))
    for number in range(rooms):
        session.join(SimulatorAdapter(f"r{number}"), RoomRole.OTHER if number else RoomRole.ISLAND, now=0.0)
    link = _enter(session)[0].link
    return Turns(session, partial(session.receive_data, link=link), 1)


def _in_turn(ours: Callable[[], float], baseline: Callable[[], float]) -> tuple[float, float]:
    """One round: seconds a packet of both, slice by slice in turn."""
    pairs = [(ours(), baseline()) for _ in range(SLICES)]
    return sum(mine for mine, _ in pairs) / BATCH, sum(theirs for _, theirs in pairs) / BATCH


def _row(case: str, name: str, pairs: list[tuple[float, float]]) -> Row:
    return {
        "bench": "room",
        "case": case,
        "unit": "ns",
        "ours": round(median(ours for ours, _ in pairs) * 1e9),
        "baseline": round(median(theirs for _, theirs in pairs) * 1e9),
        "baseline_name": name,
        "ratio": round(median(ours / theirs for ours, theirs in pairs), 3),
        "rounds": [[round(ours * 1e9), round(theirs * 1e9)] for ours, theirs in pairs],
    }


def run(rounds: int = 7, only: str = "") -> list[Row]:
    """Every row whose case has ``only`` in it."""
    rows: list[Row] = []
    for kind, data in PACKETS.items():
        case = f"bytes to event, {kind}"
        if only in case:
            bench = Bench(1)
            pairs = [_in_turn(partial(bench.slice, data), partial(time_floor, data)) for _ in range(rounds)]
            rows.append(_row(case, "decode + one event built", pairs))
    for peers in (50, 500):
        case = f"bytes to event, movement, {peers} peers"
        if only in case:
            few, many = Bench(1), Bench(peers)
            data = PACKETS["movement"]
            pairs = [_in_turn(partial(many.slice, data), partial(few.slice, data)) for _ in range(rounds)]
            rows.append(_row(case, "1 peer", pairs))
    for per_turn, name in ((1, "one packet"), (TURN, f"{TURN} packets")):
        case = f"world, {name} a turn"
        if only in case:
            world, room = world_turns(per_turn), room_turns(per_turn)
            pairs = [_in_turn(world.slice, room.slice) for _ in range(rounds)]
            rows.append(_row(case, "the room alone, the same turn", pairs))
    case = "16 rooms, one packet a turn"
    if only in case:
        many, one = merged_turns(16), merged_turns(1)
        pairs = [_in_turn(many.slice, one.slice) for _ in range(rounds)]
        rows.append(_row(case, "1 room", pairs))
    return rows
