"""Connections on every loop: their settings, their verbs, what they tell of themselves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, assert_type

import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import polled
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.polled import PolledConnection
from dcl_comms_drivers.settings import OnFull, Settings
from dcl_comms_drivers.wallet import DisposableWallet, LocalWallet, Wallet, log_in, verifier

from dcl_comms_core import (
    EVERYONE,
    Arrival,
    AuthIdentity,
    Backoff,
    ChallengeGuard,
    ChatReceived,
    CommsError,
    ConnectionLost,
    Delivery,
    Fetch,
    Fetched,
    Ignore,
    IslandChanged,
    Limits,
    Movement,
    Packet,
    PacketEvent,
    Peer,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    PeerTraffic,
    Profile,
    Realm,
    Retry,
    RoomState,
    Subscribe,
    Track,
    Vector3,
    Verifier,
    parse_connection_string,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.events import Event

Connection = on_asyncio.Connection


def only_streams(sender: PeerId, track: Track) -> bool:
    return track.sid == sender.text


SETTINGS: Settings = {
    "ignore": Ignore(abuse_over=100),
    "timeout": 5.0,
    "reconnect": Backoff(attempts=3),
    "subscribe": only_streams,
    "on_full": "close",
}


async def verbs(room: Connection, who: PeerId) -> None:
    assert_type(room.chat("hello"), float)
    room.chat("psst", to=who)
    room.chat("you two", to=[who, PeerId("0x2")])
    room.chat("psst", to="0x2")
    room.chat("you three", to=["0x2", who, room.peers["0x3"]])
    assert_type("0x2" in room.peers, bool)
    assert_type(room.peers["0x2"].position, Vector3 | None)
    assert_type(room.peers["0x2"].arrival, Arrival)
    assert_type(room.traffic("0x2"), PeerTraffic | None)
    assert_type(who.short, str)
    assert_type(room.near(10.0, around="0x2"), list[Peer])
    assert_type(room.nearest(around=(1.0, 0.0, 2.0)), Peer | None)
    assert_type(room.me.position, Vector3)
    room.ignore("0x2", seconds=600)
    assert_type(room.unignore(who), bool)
    assert_type(room.ignored["0x2"], float | None)
    room.chat("all", EVERYONE, channel="community", stamp=1.0)
    room.chat("to those who are here", to=room.peers)
    room.move((1.0, 0.0, 2.0), velocity=(0.0, 0.0, 1.0), yaw=90.0, grounded=False, instant=True)
    room.move(Movement(position_x=1.0), to=who)
    room.emote("urn:wave", stop=True)
    room.emote("urn:wave", duration=2.5, mask=1)
    room.announce_profile(3)
    room.offer_profile(3, "{}", base_url="https://peer.decentraland.org")
    assert_type(room.request_profile(who, 2), bool)
    assert_type(room.profile(who), Profile | None)
    room.react(3, count=2)
    room.react_to("message", 3, remove=True)
    room.scene_message("bafy", b"data", to=who)
    room.send_nowait(Packet(protocol_version=100), reliable=None, topic="t")
    room.send_bytes(b"", reliable=False)
    assert_type(room.subscribe("TR_1"), bool)
    room.enter_scene("bafy", (0, -1))
    room.leave_scene(drain=0.0)
    room.set_position((1.0, 0.0, 2.0))
    await room.send(Packet(protocol_version=100), to=who)
    await room.flush()
    assert_type(await room.wait_for(ChatReceived), ChatReceived)
    assert_type(await room.wait_for(ChatReceived, lambda chat: chat.text == "yes", sender=who, timeout=5), ChatReceived)
    assert_type(await room.wait_for((PeerJoined, PeerLeft)), PeerJoined | PeerLeft)
    assert_type(await room.wait_for((PeerJoined, PeerLeft, ChatReceived, PeerMoved)), "Event")
    assert_type(await room.wait_for(PacketEvent, timeout=0.0), "Event")
    waiting = asyncio.create_task(room.wait_for(ChatReceived))
    assert_type((await waiting).text, str)
    async with room.listen(ChatReceived, sender=who, on_full=OnFull.CLOSE) as chats:
        async for chat in chats:
            assert_type(chat, ChatReceived)
        async for batch in chats.batches():
            assert_type(batch, list[ChatReceived])
        assert_type(chats.dropped, int)
    async with room.listen((PeerJoined, PeerMoved), lambda event: event.sender == who, on_full="drop oldest") as some:
        assert_type(await anext(some), PeerJoined | PeerMoved)
    stats = await room.refresh_stats()
    assert_type(stats.round_trip, float | None)
    assert_type(room.identity, PeerId | None)
    assert_type(room.realm, Realm | None)
    assert_type(room.island, IslandChanged | None)
    assert_type(room.state, RoomState)
    assert_type(room.rooms_of(who), tuple[str, ...])


async def asyncio_program(target: str, wallet: Wallet) -> None:
    async with (
        asyncio.timeout(10),
        on_asyncio.connect(target, wallet=wallet, guard=ChallengeGuard(), delivery=Delivery.PACKETS) as room,
    ):
        assert_type(room, Connection)
        async for event in room:
            assert_type(event, "Event")
        async for batch in room.batches():
            assert_type(batch, "list[Event]")
    async with on_asyncio.connect(parse_connection_string(target), **SETTINGS):
        pass
    assert_type(await on_asyncio.fetch(Fetch(url=target)), Fetched)


async def trio_program(target: str) -> None:
    with trio.move_on_after(10):
        async with on_trio.connect(target, subscribe=Subscribe.NONE, limits=Limits(event_queue=10)) as room:
            # The same names, and the same connection: a bot's functions run on both loops.
            await verbs(room, PeerId("0x1"))


def polled_program(target: str, answer: Callable[[PolledConnection, Event], None]) -> None:
    with polled.open(target, on_full=OnFull.CLOSE, position=(0.0, 0.0, 0.0), journal="walk.journal") as room:
        while not room.closed:
            if room.wait(0.5):
                for event in room.poll():
                    assert_type(event, "Event")
                    answer(room, event)
            assert_type(room.deadline(), float | None)
            assert_type(room.fileno(), int)
        room.begin_close()


def told(error: CommsError) -> str:
    if isinstance(error, ConnectionLost):
        assert_type(error.retry, Retry)
        return error.detail
    return str(error)


class Ledger:
    """A wallet of a user's own: nothing is inherited."""

    @property
    def address(self) -> str:
        return "0x" + "1f" * 20

    async def sign(self, message: str) -> str:
        await asyncio.sleep(60.0)
        return "0x" + message


async def wallets() -> None:
    identity = await log_in(Ledger(), lifetime=60.0)
    assert_type(identity, AuthIdentity)
    loaded: Wallet = LocalWallet.load("bot.key")
    guest: Wallet = DisposableWallet()
    assert_type(verifier(), Verifier)
    async with on_asyncio.connect("ws-room:ws://127.0.0.1/rooms/x", wallet=identity):
        pass
    for wallet in (loaded, guest, Ledger()):
        await asyncio_program("ws-room:ws://127.0.0.1/rooms/x", wallet)
