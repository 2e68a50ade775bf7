"""A recording: what its thread does of a packet, beside mcap's own Writer given the same bytes; what the tap does of it.

Microseconds of the processor's time a packet.  The must of a packet's own is 10, the goal 6.
"""

from __future__ import annotations

import io
import time
from statistics import median
from typing import TYPE_CHECKING, Any

from dcl_comms_station.recording.times import Times
from dcl_comms_station.recording.waiting import Waiting
from dcl_comms_station.recording.writer import RecordingWriter
from mcap.writer import Writer

from dcl_comms_core import Movement, MovementKind, Packet, PeerId, PeerMoved, Vector3, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PEERS = [PeerId(f"0x{number:040x}") for number in range(100)]
PACKETS = 3_000
ROUNDS = 9
HOW: dict[str, Any] = {"reliable": False, "topic": "", "private": False, "verdict": "told"}
PACKET = decode(bytes(Packet(movement=Movement(timestamp=1.5, position_x=8.25, position_z=3.0, rotation_y=90.0))))
DATA = bytes(PACKET)


def _event(number: int, at: float) -> PeerMoved:
    return PeerMoved(
        at=at,
        room="island",
        sender=PEERS[number % 100],
        private=False,
        size=len(DATA),
        position=Vector3(8.25, 0.0, 3.0),
        velocity=Vector3(0.0, 0.0, 0.0),
        yaw=90.0,
        kind=MovementKind.MOVEMENT,
        message=PACKET.movement,
    )


class _Plain:
    """mcap's Writer, given packets as they are."""

    def __init__(self) -> None:
        self._writer = Writer(io.BytesIO(), chunk_size=262_144)
        self._writer.start()
        self._channel = self._writer.register_channel("/packets", "", 0)

    def slice(self, begin: int) -> None:
        for number in range(begin, begin + PACKETS):
            at = number * 1_000_000
            self._writer.add_message(self._channel, at, DATA, at)


class _Recorded:
    """Ours, with the event that tells of each packet or without."""

    def __init__(self, *, told: bool) -> None:
        self._writer = RecordingWriter(io.BytesIO(), Times(0), about={})
        self._events = [_event(number, number / 1_000) for number in range(PACKETS * (ROUNDS + 1))] if told else None

    def slice(self, begin: int) -> None:
        writer, events = self._writer, self._events
        for number in range(begin, begin + PACKETS):
            at = number / 1_000
            writer.received(at, "island", PEERS[number % 100], DATA, **HOW)
            if events is not None:
                writer.step(at, events[number])


class _Tapped:
    """What the room's own loop does of it."""

    def slice(self, begin: int) -> None:
        tap = Waiting(1 << 30)
        for number in range(begin, begin + PACKETS):
            tap.received(number / 1_000, "island", PEERS[number % 100], DATA, **HOW)


CASES: tuple[tuple[str, Callable[[], Any]], ...] = (
    ("recording: a packet, in its thread", lambda: _Recorded(told=False)),
    ("recording: a packet and its event, in its thread", lambda: _Recorded(told=True)),
    ("recording: a packet, in the room's loop", _Tapped),
)


def _micros(side: Any, begin: int) -> float:
    start = time.process_time()
    side.slice(begin)
    return (time.process_time() - start) / PACKETS * 1e6


def recording_rows(only: str) -> Iterator[dict[str, object]]:
    """A row for each case that has this text in it."""
    for case, make in CASES:
        if only not in case:
            continue
        ours, plain = make(), _Plain()
        rounds = [(_micros(ours, begin * PACKETS), _micros(plain, begin * PACKETS)) for begin in range(ROUNDS + 1)][1:]
        mine, theirs = median(one for one, _ in rounds), median(one for _, one in rounds)
        yield {
            "bench": "station",
            "case": case,
            "unit": "us/packet",
            "ours": round(mine, 2),
            "baseline": round(theirs, 2),
            "baseline_name": "mcap's Writer, the packet alone",
            "ratio": round(median(one / other for one, other in rounds), 2),
            "rounds": rounds,
        }
