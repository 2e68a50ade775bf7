"""What an application pays for what it does not use, and what it pays where it does: packets through a whole connection.

Each slice of a batch is taken by both sides in turn.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any

from dcl_comms_drivers.logs import PACKETS
from dcl_comms_drivers.loops.chores import Chores

from dcl_comms_core import ChatReceived, Limits, SceneMessageReceived
from dcl_comms_core.readers.table import Readers
from unused.sides import BATCH, SENDER, SLICES, Pumped, Side, logged

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, object]

PER_TURN = (1, 64)
"""Packets that wait at a turn."""
QUIET = 100
"""What nobody logs above."""


def _logging(stack: ExitStack, per_turn: int, level: int) -> tuple[Side, Side]:
    return Side(stack, per_turn, log=stack.enter_context(logged(level))), Side(stack, per_turn)


def _listening(stack: ExitStack, per_turn: int, kind: type) -> tuple[Side, Side]:
    """With a reader as ``listen`` has it on a loop, which is emptied as it is woken."""
    side, readers = Side(stack, per_turn), Readers(Limits())
    now = side.room.driver.host.now()

    def empty() -> None:
        heard.take()

    heard: Any = readers.listen(kind, now=now, closes=False, wake=empty)
    side.room.driver.chores.add(readers)
    return side, Side(stack, per_turn)


def _waiting(stack: ExitStack, per_turn: int) -> tuple[Side, Side]:
    side = Side(stack, per_turn)
    readers = Readers(Limits())
    readers.wait_for(ChatReceived, sender=SENDER, timeout=1e6, now=side.room.driver.host.now(), wake=lambda: None)
    side.room.driver.chores.add(readers)
    return side, Side(stack, per_turn)


CASES: tuple[tuple[str, str, Callable[[ExitStack, int], tuple[Any, Any]]], ...] = (
    ("logging of what happens (INFO)", "no logging", lambda stack, turn: _logging(stack, turn, logging.INFO)),
    ("logging of packets, each written", "no logging", lambda stack, turn: _logging(stack, turn, PACKETS)),
    ("a logger that nobody hears", "no logging", lambda stack, turn: _logging(stack, turn, QUIET)),
    (
        "event.time asked of each",
        "event.time not asked",
        lambda stack, turn: (Side(stack, turn, lambda event: event.time), Side(stack, turn, lambda event: event.at)),
    ),
    ("chores, none of them there", "no chores", lambda _, turn: (Pumped(turn, Chores()), Pumped(turn, None))),
    ("wait_for(ChatReceived)", "no reader", _waiting),
    ("listen(ChatReceived)", "no reader", lambda stack, turn: _listening(stack, turn, ChatReceived)),
    (
        "listen(SceneMessageReceived), which hears each",
        "no reader",
        lambda stack, turn: _listening(stack, turn, SceneMessageReceived),
    ),
)
"""What is used, what the baseline is called, and both sides."""


def _row(case: str, name: str, pairs: list[tuple[float, float]]) -> Row:
    return {
        "bench": "unused",
        "case": case,
        "unit": "ns",
        "ours": round(median(ours for ours, _ in pairs) * 1e9),
        "baseline": round(median(theirs for _, theirs in pairs) * 1e9),
        "baseline_name": name,
        "ratio": round(median(ours / theirs for ours, theirs in pairs), 3),
        "rounds": [[round(ours * 1e9), round(theirs * 1e9)] for ours, theirs in pairs],
    }


def _round(one: Any, other: Any) -> tuple[float, float]:
    """Seconds a packet of both, slice by slice in turn."""
    pairs = [(one.slice(), other.slice()) for _ in range(SLICES)]
    return sum(mine for mine, _ in pairs) / BATCH, sum(theirs for _, theirs in pairs) / BATCH


def run(rounds: int = 7, only: str = "") -> list[Row]:
    """Every row whose case has ``only`` in it."""
    rows: list[Row] = []
    for what, baseline, sides in CASES:
        for per_turn in PER_TURN:
            case = f"{what}, {per_turn} a turn"
            if only in case:
                with ExitStack() as stack:
                    one, other = sides(stack, per_turn)
                    _round(one, other)  # what is done once
                    pairs = [_round(one, other) for _ in range(rounds)]
                rows.append(_row(case, baseline, pairs))
    return rows
