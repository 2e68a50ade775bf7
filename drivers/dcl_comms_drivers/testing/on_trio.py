"""run_bot on trio: its clock is the stage's, which goes on when all tasks are blocked."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_drivers.extras import needs
from dcl_comms_drivers.loops.on_trio import TrioHost
from dcl_comms_drivers.testing.play import StageHost

with needs("trio"):
    import trio
    import trio.testing

if TYPE_CHECKING:
    from dcl_comms_drivers.testing.play import AnySeat, AnyStage, Play


__all__ = ["perform"]


class _Host(StageHost, TrioHost):
    def __init__(self, stage: AnyStage, seat: AnySeat) -> None:
        TrioHost.__init__(self)
        self.stage = stage
        self.seat = seat


class _Clock(trio.abc.Clock):
    def __init__(self, stage: AnyStage) -> None:
        self.stage = stage
        self.due = inf
        """The deadline that trio asked about last: the next one, exactly."""

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return self.stage.clock.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        self.due = deadline
        return 0.0 if deadline <= self.stage.clock.now else 1e6


class _Rounds(trio.abc.Instrument):
    def __init__(self, play: Play) -> None:
        self.play = play

    def before_io_wait(self, timeout: float) -> None:
        if timeout <= 0.0 and self.play.failure is None:
            try:
                self.play.busy()
            except LocalProtocolError:
                # trio would only log it: run_bot raises it when the bot was cancelled.
                self.play.stop()


def perform(play: Play) -> None:
    """Run the play to its end."""
    clock = _Clock(play.stage)
    raised: list[BaseException] = []

    async def go_on() -> None:
        while True:
            clock.due = inf
            await trio.testing.wait_all_tasks_blocked()
            play.idle(clock.due)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(go_on)
            for identity, (_, seat) in play.peers.items():
                nursery.start_soon(play.accompany, identity, _Host(play.stage, seat))
            try:
                # Takes its Cancelled out of the groups of the bot's own nurseries too.
                with trio.CancelScope() as scope:
                    play.stop = scope.cancel
                    await play.perform(_Host(play.stage, play.stage.first))
            except trio.Cancelled:
                raise  # go_on failed
            except BaseException as error:  # noqa: BLE001 - raised below, outside of the nursery's group
                if not play.forgives(error):
                    raised.append(error)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=clock, instruments=[_Rounds(play)])
    if raised:
        raise raised[0]
