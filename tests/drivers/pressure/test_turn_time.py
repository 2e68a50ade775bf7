"""A turn ends in time, whatever its inputs cost, and what is left asks for one turn more, not for one each time."""

from __future__ import annotations

import asyncio
import selectors
import threading
import time

import pytest
import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.realm.embedded import EmbeddedRealm, RealmSettings
from dcl_comms_drivers.realm.turns import Turns
from dcl_comms_drivers.wallet import DisposableWallet
from rigs.attacks.hostile_server import update
from rigs.drivers.net import REF, run, websocket_server

from dcl_comms_core import (
    FrameReceived,
    Limits,
    Packet,
    Scene,
    SceneMessageReceived,
    SendFrame,
    WsChallengeRequired,
    WsPacket,
    WsWelcome,
    encode,
)

SLOW = 0.004
MANY = 600


class Dear:
    """A session to which every message is dear."""

    def __init__(self):
        self.taken = 0

    def receive(self, inp, *, now):
        end = time.monotonic() + SLOW
        while time.monotonic() < end:
            pass
        self.taken += isinstance(inp, FrameReceived)


@pytest.mark.parametrize("loop", ["asyncio", "trio", "polled"])
def test_dear_messages_are_handled_a_few_at_a_time(loop):
    """Of a hundred that wait no more than there is time for, which is that of two."""

    def serve(connection):
        connection.recv()
        for _ in range(100):
            connection.send(b"x")
        connection.recv()

    async def scenario(kit):
        dear, turns = Dear(), []
        await kit.open(url)
        kit.do(SendFrame(link=REF, token=1, data=b"go"))
        while dear.taken < 100:
            before = dear.taken
            kit.link.drain(dear, now=0.0, limit=256)
            turns.append(dear.taken - before)
            await kit.sleep(0)
        assert 1 <= max(turns) <= 3

    with websocket_server(serve) as url:
        run(loop, scenario, limits=Limits(turn_seconds=2 * SLOW))


class Rounds(selectors.DefaultSelector, trio.abc.Instrument):
    """Counts the rounds of a loop."""

    count = 0

    def select(self, timeout=None):
        self.count += 1
        return super().select(timeout)

    def before_io_wait(self, _):
        self.count += 1


async def visit(connect, sleep, target, rounds):
    """How often the link was drained in each round."""
    drained = {}
    async with connect(target, wallet=DisposableWallet(), limits=Limits(turn_seconds=0.0)) as room:
        link = room.driver.link
        drain = link.drain

        def counted(session, **how):
            drained[rounds.count] = drained.get(rounds.count, 0) + 1
            return drain(session, **how)

        link.drain = counted
        said = 0
        while said < MANY:
            await sleep(0)
            room.driver.wake()  # as links do, from whatever thread
            said += sum(isinstance(event, SceneMessageReceived) for event in room.driver.inbox.unread.take())
    return drained


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_what_is_left_asks_for_one_turn_a_round_however_much_it_is(loop):
    def serve(connection):
        connection.recv()
        connection.send(encode(WsPacket(challenge_message=WsChallengeRequired(challenge_to_sign="dcl-x"))))
        connection.recv()
        others = {2 + number: f"0x{number:040x}" for number in range(100)}
        connection.send(encode(WsPacket(welcome_message=WsWelcome(alias=1, peer_identities=others))))
        packet = Packet(scene=Scene(scene_id="s", data=bytes(8)))
        # In pieces, so that there is something to read while much is left.
        for _ in range(MANY // 100):
            connection.socket.sendall(b"".join(update(2 + number, packet) for number in range(100)))
            time.sleep(0.01)
        over.wait(30)

    over, rounds = threading.Event(), Rounds()
    with websocket_server(serve, subprotocols=["rfc5"]) as url:
        target = f"ws-room:{url}"
        if loop == "trio":
            drained = trio.run(visit, on_trio.connect, trio.sleep, target, rounds, instruments=[rounds])
        else:
            with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(rounds)) as runner:
                drained = runner.run(visit(on_asyncio.connect, asyncio.sleep, target, rounds))
        over.set()
    assert sum(drained.values()) >= MANY
    # The turn that is due, one for what a socket read, one for a timer.
    assert max(drained.values()) <= 3


def test_those_who_wait_for_their_turn_have_it_in_order_and_one_a_round():
    async def main():
        rounds, had = 0, []
        turns = Turns(60.0)

        def go_round():
            nonlocal rounds
            rounds += 1
            if len(had) < 20:
                loop.call_soon(go_round)

        async def client(number):
            for _ in range(2):
                async with turns.turn():
                    had.append((number, rounds))
                    assert not turns.spent

        loop = asyncio.get_running_loop()
        loop.call_soon(go_round)
        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(client(number))
        return had

    had = asyncio.run(main())
    assert [number for number, _ in had] == [*range(10), *range(10)]
    assert len({when for _, when in had}) == 20


def test_a_turn_is_spent_after_its_time():
    async def main():
        turns = Turns(0.0)
        async with turns.turn():
            return turns.spent

    assert asyncio.run(main())


PINGS = 8_000


def test_one_read_of_a_realm_s_is_handled_in_pieces_between_which_others_have_their_turn():
    """As many as fit in 4 KB at once, however many are there."""

    async def main():
        # Who says no hello within a second is hung up on, and a busy machine takes longer for all of it.
        async with EmbeddedRealm(livekit=False, settings=RealmSettings(ws_room_stage_seconds=600.0)) as realm:
            port = int(realm.url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"GET /rooms/x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            await reader.readuntil(b"\r\n\r\n")
            before = rounds.count
            writer.write(b"\x89\x80" + bytes(4) + (b"\x89\x80" + bytes(4)) * (PINGS - 1))
            assert await reader.readexactly(2 * PINGS) == b"\x8a\x00" * PINGS
            writer.transport.abort()
            return rounds.count - before

    rounds = Rounds()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(rounds)) as runner:
        assert runner.run(main()) >= 6 * PINGS // 4_096
