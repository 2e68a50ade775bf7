"""A delta to PeerMoved, beside the decoding and the event that it can't do without; and with 1 and 1,000 subjects.

Rows of ``make bench ONLY=pulse``.  All in one process, without a socket: ours and the baseline take turns, slice by slice.
"""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from dcl_comms_core import Limits, PeerId, PeerMoved
from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.events import MovementKind, Vector3
from dcl_comms_core.proto import pulse, rfc4
from dcl_comms_core.pulse.subjects import Subjects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pairs import Row

BENCH = "pulse"
MANY = 1_000
SLICES = 12
SLICE = 256
FIRST = 300
MOST, GOAL = 3.0, 2.0
TURNS = (1, 10, 100, MANY)
"""So many take turns.  What one holds, 1.3 KB in twenty places, stays in the processor's nearest memory while few do."""
ALONE = "1 subject"
Delta = pulse.PlayerStateDeltaTier0
CHANGES: dict[str, dict[str, int]] = {
    "walking": {"position_x": 65, "position_z": 70, "velocity_x": 12, "velocity_z": 80, "rotation_y": 32},
    "turning": {"rotation_y": 32},
    "everything": {
        "parcel_index": 48489, "position_x": 65, "position_y": 61, "position_z": 70, "velocity_x": 12, "velocity_y": 8,
        "velocity_z": 80, "rotation_y": 32, "movement_blend": 10, "slide_blend": 7, "head_yaw": 9, "head_pitch": 120,
        "state_flags": 225, "glide_state": 1, "jump_count": 3, "point_at_x": 65536, "point_at_y": 5, "point_at_z": 67720,
    },
}  # fmt: skip
"""What a delta of each kind names."""


class Bench:
    """Subjects of whom the first ``moving`` move in turn: the messages of a slice are made before the clock runs."""

    def __init__(self, subjects: int, kind: str, moving: int | None = None) -> None:
        self.subjects = Subjects(Limits())
        self.subjects.set_realm("main", 0.0)
        self.count = subjects if moving is None else moving
        self.kind = kind
        self.sent = [FIRST] * subjects
        self.next = 0
        state = pulse.PlayerState(48488, 1, 0, 1, state_flags=1)
        for number in range(subjects):
            full = pulse.PlayerStateFull(FIRST + number, FIRST, 0, state)
            joined = pulse.PlayerJoined(f"0x{number:040x}", 0, full, "main")
            self.subjects.take(pulse.ServerMessage(player_joined=joined), 0.0)

    def messages(self) -> list[bytes]:
        """The next deltas: ids and sequences of two bytes, however many subjects, as after a minute."""
        found: list[bytes] = []
        for _ in range(SLICE):
            number, self.next = self.next, (self.next + 1) % self.count
            sequence = self.sent[number]
            self.sent[number] += 1
            tick = 40_000 + sequence
            delta = Delta(FIRST + number, sequence, sequence + 1, tick, **CHANGES[self.kind])  # type: ignore[arg-type]
            found.append(encode(pulse.ServerMessage(player_state_delta=delta)))
        return found

    def slice(self) -> float:
        """Seconds for a slice: bytes to events."""
        messages, take, told = self.messages(), self.subjects.take, 0
        cls = pulse.ServerMessage
        start = time.thread_time()
        for data in messages:
            told += len(take(decode_message(cls, data), 1.0))
        elapsed = time.thread_time() - start
        assert told == SLICE
        return elapsed

    def floor(self) -> float:
        """Seconds for a slice to decode each message and build one event, whose movement is there already."""
        messages = floor_messages(self.kind)
        cls, who, position, message = pulse.ServerMessage, PeerId("0x"), Vector3(0.0, 0.0, 0.0), rfc4.Movement()
        start = time.thread_time()
        for data in messages:
            decode_message(cls, data)
            PeerMoved(
                at=1.0,
                room="pulse",
                sender=who,
                private=False,
                position=position,
                velocity=position,
                yaw=0.0,
                kind=MovementKind.MOVEMENT,
                message=message,
            )
        return time.thread_time() - start


def floor_messages(kind: str) -> list[bytes]:
    """Deltas of the same size."""
    delta = Delta(FIRST, FIRST, FIRST + 1, 40_300, **CHANGES[kind])  # type: ignore[arg-type]
    return [encode(pulse.ServerMessage(player_state_delta=delta))] * SLICE


def _in_turn(ours: Callable[[], float], baseline: Callable[[], float]) -> tuple[float, float]:
    """One round: nanoseconds a message of both, slice by slice in turn."""
    pairs = [(ours(), baseline()) for _ in range(SLICES)]
    messages = SLICES * SLICE / 1e9
    return sum(mine for mine, _ in pairs) / messages, sum(theirs for _, theirs in pairs) / messages


def _row(case: str, name: str, pairs: list[tuple[float, float]]) -> Row:
    return {
        "bench": BENCH,
        "case": case,
        "unit": "ns",
        "ours": round(median(ours for ours, _ in pairs)),
        "baseline": round(median(theirs for _, theirs in pairs)),
        "baseline_name": name,
        "ratio": round(median(ours / theirs for ours, theirs in pairs), 3),
        "rounds": [[round(ours), round(theirs)] for ours, theirs in pairs],
    }


def run(rounds: int = 9, only: str = "") -> Iterator[Row]:
    """Every row whose case has ``only`` in it."""
    for kind in CHANGES:
        case = f"delta to PeerMoved, {kind}"
        if only in case:
            bench = Bench(1, kind)
            yield _row(case, "decode + one event built", [_in_turn(bench.slice, bench.floor) for _ in range(rounds)])
    for moving in TURNS:
        case = f"delta to PeerMoved, walking, {MANY:,} subjects, {moving:,} of them in turn"
        if only in case:
            few, many = Bench(1, "walking"), Bench(MANY, "walking", moving)
            yield _row(case, ALONE, [_in_turn(many.slice, few.slice) for _ in range(rounds)])


def verdict(rows: list[Row]) -> list[str]:
    """What was asked for, and whether it is so."""
    lines = [f"{row['case']}: {row['ratio']} of {ALONE}" for row in rows if row["baseline_name"] == ALONE]
    for row in rows:
        if row["baseline_name"] == "decode + one event built":
            ratio = float(str(row["ratio"]))
            word = "the goal" if ratio <= GOAL else "within" if ratio <= MOST else "BEYOND"
            lines.append(
                f"{row['case']}: {ratio:.2f} of decoding and one event ({word}; at most {MOST:.0f}, goal {GOAL:.0f})"
            )
    return lines
