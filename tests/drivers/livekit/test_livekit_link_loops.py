"""One engine, several loops at once: asyncio in one thread, trio in another, plain polling in a third."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest
import trio
from dcl_comms_drivers.media.frames import AudioTrack
from rigs.drivers.livekit import Player, nothing_left

from dcl_comms_core.commands import CloseLink
from dcl_comms_core.inputs import LinkClosed, LinkOpened, SendAcknowledged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from conftest import RoomOnServer

pytestmark = pytest.mark.livekit

PACKETS = 200


class Woken(Player):
    """A player whose loop is woken by the link instead of polled."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._loop_wake = wake
        super().__init__()

    def _wake(self) -> None:
        self.wakes += 1
        self._loop_wake()


async def live(
    player: Player, name: str, room: RoomOnServer, until: Callable[[Callable[[], object]], Awaitable[None]]
) -> None:
    """Join, wait for the others, send, read everything, leave.  Each step waits for a wake and for nothing else."""
    player.open(room.connection_string(name))
    await until(lambda: player.of(LinkOpened))
    player.link.publish_audio(AudioTrack(muted=True))
    await until(lambda: {"asyncio", "trio", "plain"} - {name} <= player.present())
    for number in range(PACKETS):
        player.send(b"%s %d" % (name.encode(), number))
    await until(lambda: len(player.of(SendAcknowledged)) == PACKETS and len(player.packets) == 2 * PACKETS)
    player.execute(CloseLink(link=player.ref, drain=5.0))
    await until(lambda: player.of(LinkClosed))


def on_asyncio(room: RoomOnServer) -> Player:
    async def main() -> Player:
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        player = Woken(lambda: loop.call_soon_threadsafe(woken.set))

        async def until(condition: Callable[[], object]) -> None:
            while player.turn() or not condition():
                due = player.link.deadline()
                try:
                    async with asyncio.timeout(None if due is None else max(0.0, due - time.monotonic())):
                        await woken.wait()
                except TimeoutError:
                    pass
                woken.clear()

        async with asyncio.timeout(30):
            await live(player, "asyncio", room, until)
        return player

    return asyncio.run(main())


def on_trio(room: RoomOnServer) -> Player:
    async def main() -> Player:
        token = trio.lowlevel.current_trio_token()
        woken = [trio.Event()]

        def wake() -> None:
            woken[0].set()

        player = Woken(lambda: token.run_sync_soon(wake))

        async def until(condition: Callable[[], object]) -> None:
            while player.turn() or not condition():
                due = player.link.deadline()
                with trio.move_on_after(float("inf") if due is None else max(0.0, due - time.monotonic())):
                    await woken[0].wait()
                woken[0] = trio.Event()

        with trio.fail_after(30):
            await live(player, "trio", room, until)
        return player

    return trio.run(main)


def on_nothing(room: RoomOnServer) -> Player:
    player = Player()

    async def until(condition: Callable[[], object]) -> None:
        player.until(lambda: condition() or None, 30.0)

    # There is nothing to wait for but what `until` waits for itself, so one step runs it all.
    with pytest.raises(StopIteration):
        live(player, "plain", room, until).send(None)
    return player


def test_three_loops_share_the_engine(livekit_room: Callable[[], RoomOnServer]) -> None:
    room = livekit_room()
    done: dict[str, Player] = {}

    def run(name: str, main: Callable[[RoomOnServer], Player]) -> None:
        done[name] = main(room)

    threads = [
        threading.Thread(target=run, args=("asyncio", on_asyncio)),
        threading.Thread(target=run, args=("plain", on_nothing)),
    ]
    for thread in threads:
        thread.start()
    run("trio", on_trio)
    for thread in threads:
        thread.join(40.0)
    assert set(done) == {"asyncio", "trio", "plain"}
    for name, player in done.items():
        for other in {"asyncio", "trio", "plain"} - {name}:
            got = [packet for packet in player.packets if packet.data.startswith(other.encode())]
            assert [packet.data for packet in got] == [b"%s %d" % (other.encode(), n) for n in range(PACKETS)]
            # Who has not been announced yet has no name.
            assert {packet.sender for packet in got} <= {other, None}
    assert nothing_left()
