"""Heartbeats, without a session around them: what they say, when they begin, how long an island is waited for."""

from __future__ import annotations

from collections import Counter
from math import nan

import pytest

from dcl_comms_core import ClientPacket, LocalProtocolError, PacketTooLarge, Timer, decode_message
from dcl_comms_core.handshake.heartbeats import Heartbeats
from dcl_comms_core.packets.envelope import WEBSOCKET_MAX_FRAME
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.timers import Timers


class Bench:
    """Heartbeats every two seconds from the time 5 on, and an island that is waited for ten."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.pass_time(5.0)
        self.timers = Timers()
        self.counters: Counter[str] = Counter()
        self._frames: list[bytes] = []
        self.part = Heartbeats(
            self.clock, self.timers, self.counters, period=2.0, patience=10.0, send=self._frames.append
        )

    def told(self) -> list[tuple[float, float, float, str | None]]:
        beats = [decode_message(ClientPacket, frame).heartbeat for frame in self._frames]
        self._frames.clear()
        return [
            (beat.position.x, beat.position.y, beat.position.z, beat.desired_room)
            for beat in beats
            if beat is not None and beat.position is not None
        ]


def test_they_begin_once_we_are_somewhere() -> None:
    bench = Bench()
    bench.part.begin()
    assert (bench.told(), bench.timers.deadline, bench.counters["heartbeats"]) == ([], None, 0)
    bench.part.put((1.0, 2.0, 3.0))
    assert bench.told() == []
    bench.part.begin()
    assert (bench.told(), bench.counters["heartbeats"]) == ([(1.0, 2.0, 3.0, None)], 1)
    assert bench.timers.due() == {Timer.HEARTBEAT: 7.0, Timer.ISLAND: 15.0}


def test_those_that_go_out_already_do_not_begin_again() -> None:
    bench = Bench()
    bench.part.put((1.0, 2.0, 3.0))
    bench.part.begin()
    bench.clock.pass_time(6.0)
    bench.part.put((4.0, 5.0, 6.0))
    bench.part.begin()
    assert (len(bench.told()), bench.timers.due()) == (1, {Timer.HEARTBEAT: 7.0, Timer.ISLAND: 15.0})
    bench.clock.pass_time(7.0)
    bench.part.beat()
    assert (bench.told(), bench.timers.due()[Timer.HEARTBEAT]) == ([(4.0, 5.0, 6.0, None)], 9.0)


def test_the_island_that_we_prefer_is_told_until_we_prefer_none() -> None:
    bench = Bench()
    bench.part.put((1.0, 2.0, 3.0))
    bench.part.prefer("I7")
    bench.part.beat()
    bench.part.prefer(None)
    bench.part.beat()
    assert [desired for *_, desired in bench.told()] == ["I7", None]


def test_what_no_server_takes_is_refused_and_what_was_said_before_stays() -> None:
    bench = Bench()
    bench.part.put((1.0, 2.0, 3.0))
    bench.part.prefer("I7")
    with pytest.raises(LocalProtocolError):
        bench.part.put((nan, 2.0, 3.0))
    with pytest.raises(PacketTooLarge):
        bench.part.prefer("x" * WEBSOCKET_MAX_FRAME)
    bench.part.beat()
    assert bench.told() == [(1.0, 2.0, 3.0, "I7")]


def test_an_island_that_came_is_waited_for_no_longer() -> None:
    bench = Bench()
    bench.part.put((1.0, 2.0, 3.0))
    bench.part.begin()
    bench.part.answered()
    bench.part.answered()
    assert bench.timers.due() == {Timer.HEARTBEAT: 7.0}
