"""What an intent makes happen at once is handed over, whether or not anything else is due."""

from __future__ import annotations

import asyncio

from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.pump import Pump
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import ChallengeGuard, CloseReason, RoomClosed, RoomSession, SimulatorAdapter


class Bench:
    """A host without time and a link without a wire."""

    name = "bench"

    def __init__(self, on_events=lambda events: None):
        self.session = RoomSession(SimulatorAdapter("room"))
        self.woken = []
        self.told = []
        self.on_events = on_events
        self.pump = Pump(self.session, self, self, self.take)

    def take(self, events):
        self.told += events
        self.on_events(events)

    def now(self):
        return 0.0

    def call_at(self, when, callback):
        pass

    def wake(self, callback):
        self.woken.append(callback)

    def execute(self, command, *, now):
        pass

    def drain(self, session, *, now, limit):
        return False

    def deadline(self):
        return None


def test_events_of_an_intent_outside_of_a_turn_wake_the_loop_and_come_with_its_turn():
    bench = Bench()
    bench.session.close()
    bench.pump.carry_out()
    assert bench.told == []
    (turn,) = bench.woken
    turn()
    (closed,) = bench.told
    assert isinstance(closed, RoomClosed)
    assert closed.reason is CloseReason.CLIENT


def test_nothing_is_woken_where_nothing_happened():
    bench = Bench()
    bench.session.open()
    bench.pump.carry_out()
    assert bench.woken == []


def test_a_scene_that_is_refused_at_once_is_told_in_a_quiet_world(dcl_realm):
    async def main():
        guard = ChallengeGuard(["127.0.0.1"])
        target = f"{dcl_realm.url}/world/quiet.dcl.eth"
        async with (
            asyncio.timeout(10),
            connect(target, wallet=DisposableWallet(), guard=guard, gatekeeper="https://other.example/get") as room,
        ):
            room.enter_scene("bafy", (0, 0))
            async for event in room:
                if isinstance(event, RoomClosed):
                    return event.room, event.reason
        return None

    assert asyncio.run(main()) == ("scene", CloseReason.SIGNING_REFUSED)
