"""connect() from a realm's URL into its rooms, on every loop, over ws-rooms and over LiveKit."""

from __future__ import annotations

import itertools
import json
import math
import time

import pytest
from dcl_comms_drivers.wallet import DisposableWallet, LocalWallet
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.net import Site, answer, websocket_server
from rigs.drivers.realm import realm

from dcl_comms_core import (
    Backoff,
    ChallengeGuard,
    ChallengeResponseMessage,
    ChatReceived,
    CloseReason,
    ConnectionLost,
    InvalidConnectionString,
    IslandChanged,
    IslandChangedMessage,
    Journal,
    Limits,
    LocalProtocolError,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    Reconnected,
    Retry,
    RoomOpened,
    RoomState,
    SceneMessageReceived,
    ServerPacket,
    TrackSource,
    TrackSubscribed,
    WelcomeMessage,
    encode,
)
from dcl_comms_core.proto import common

ONE, TWO, THREE = (LocalWallet(f"{number:064x}") for number in (1, 2, 3))
QUICK = Backoff(initial=0.05, factor=1.5, maximum=0.5, jitter=0.0, attempts=100)
names = itertools.count()


@pytest.fixture(params=LOOPS)
def kit(request):
    return Kit(request.param, heartbeat=0.05, reconnect=QUICK)


@pytest.fixture(params=["ws-room", *(pytest.param(name, marks=pytest.mark.livekit) for name in ("livekit", "rtc"))])
def place(request, monkeypatch):
    """A realm, and its kind of rooms: WebSockets, or LiveKit's over either engine."""
    server = None
    if request.param != "ws-room":
        monkeypatch.setenv("DCL_COMMS_ENGINE", request.param)
        server = request.getfixturevalue("livekit_server")
    if request.param == "rtc":
        request.getfixturevalue("rtc")
    # Rooms of one server are told apart by their names.
    with realm(livekit=server or False, prefix=f"connect-{next(names)}-") as one:
        yield one


@pytest.fixture
def plain():
    with realm() as one:
        yield one


async def meet(kit, *clients):
    """Wait until everybody is in the room of one island; that Pulse tells of somebody is not enough."""

    def others(one):
        return [who for who in one.peers if "island" in one.rooms_of(who)]

    await until(kit, lambda: all(len(others(one)) == len(clients) - 1 for one in clients), *clients)


async def until(kit, done, *clients, timeout=40.0):
    """Read everybody's events until it is so."""
    end = time.monotonic() + timeout
    while not done():
        assert time.monotonic() < end, [[type(event).__name__ for event in one.seen] for one in clients]
        for one in clients:
            await one.read_for(0.02)


async def heard(kit, who, kind, *others, **fields):
    """Wait until somebody was told this; all of them have turns meanwhile, which a polled connection sends in."""

    def fits(event):
        return isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())

    await until(kit, lambda: any(map(fits, who.seen)), who, *others)
    return next(filter(fits, who.seen))


# --- into the rooms, and about in them


def test_two_wallets_meet_part_and_meet_again(kit, place):
    async def scenario(kit):
        async with (
            kit.connect(place.url, wallet=ONE) as a,
            kit.connect(place.url, wallet=TWO, position=(10.0, 0.0, 0.0)) as b,
        ):
            await meet(kit, a, b)
            assert (a.identity, b.identity) == (PeerId(ONE.address), PeerId(TWO.address))
            assert a.rooms_of(b.identity) == ("island",)
            assert a.island.island == b.island.island
            assert a.realm.name == "embedded"
            a.chat("hello")
            assert (await heard(kit, b, ChatReceived, a)).sender == a.identity
            b.move((300.0, 0.0, 0.0))
            await until(kit, lambda: not a.peers and a.island.island != b.island.island, a, b)
            b.move((20.0, 0.0, 0.0))
            await meet(kit, a, b)
            b.chat("back again")
            assert (await heard(kit, a, ChatReceived, b, text="back again")).room == "island"
            # Pulse tells of places in steps.
            a.move((1.0, 2.0, 3.0))
            at = pytest.approx((1.0, 2.0, 3.0), abs=0.05)
            await until(kit, lambda: [one for one in b.all(PeerMoved) if one.position == at], a, b)
            assert next(one.room for one in b.all(PeerMoved) if one.position == at) == "pulse"
            assert [peer.id for peer in a.peers.values()] == [b.identity]
            await a.flush()
            assert a.stats.link == "world"
            assert a.stats.sent >= 2

    kit.run(scenario)


def test_island_and_scene_at_once_and_what_is_in_both_is_told_once(kit, place):
    async def scenario(kit):
        async with kit.connect(place.url, wallet=ONE) as a, kit.connect(place.url, wallet=TWO) as b:
            for one in (a, b):
                one.enter_scene("bafk", (0, 0))
            await until(kit, lambda: len(a.rooms_of(b.identity)) == len(b.rooms_of(a.identity)) == 2, a, b)
            a.chat("once")
            a.scene_message("bafk", b"\x01x")
            await heard(kit, b, SceneMessageReceived, a, room="scene")
            a.leave_scene()
            await until(kit, lambda: a.rooms_of(b.identity) == ("island",), a, b)
            assert len(b.all(ChatReceived)) == 1
            assert len(b.all(PeerJoined)) == 1
            assert not b.all(PeerLeft)

    kit.run(scenario)


@pytest.mark.livekit
def test_two_rooms_of_livekit_carry_what_each_of_them_is_for(kit, livekit_server):
    """Both links deliver through one descriptor."""

    async def scenario(kit):
        async with kit.connect(one.url, wallet=ONE) as a, kit.connect(one.url, wallet=TWO) as b:
            a.enter_scene("bafk", (0, 0))
            b.enter_scene("bafk", (0, 0))
            await until(kit, lambda: len(a.rooms_of(b.identity)) == len(b.rooms_of(a.identity)) == 2, a, b)
            for number in range(20):
                a.scene_message("bafk", b"\x01%d" % number)
                a.chat(f"{number}", to=b.identity)
            await until(kit, lambda: len(b.all(SceneMessageReceived)) == len(b.all(ChatReceived)) == 20, a, b)
            assert all(event.private for event in b.all(ChatReceived))
            # The island's room answers, be it that it does not know yet.
            a.request_stats()
            await until(kit, lambda: a.connection.driver.answers == 1, a)

    with realm(livekit=livekit_server, prefix=f"connect-{next(names)}-") as one:
        kit.run(scenario)


@pytest.mark.livekit
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_voice_is_heard_on_the_island(loop, livekit_server):
    kit = Kit(loop, heartbeat=0.05, reconnect=QUICK)

    async def scenario(kit):
        async with kit.connect(one.url, wallet=ONE) as a, kit.connect(one.url, wallet=TWO) as b:
            await meet(kit, a, b)
            async with a.publish_audio() as microphone:

                async def speak():
                    wave = b"".join(
                        round(8000 * math.sin(n / 8)).to_bytes(2, "little", signed=True) for n in range(480)
                    )
                    for _ in range(150):
                        await microphone.write(wave)

                async def listen():
                    track = await b.expect(TrackSubscribed)
                    assert track.room == "island"
                    async for frame in b.audio(track.track):
                        if max(abs(sample) for sample in frame.data.cast("h")) > 1000:
                            return

                await kit.all(speak, listen)
            with pytest.raises(LocalProtocolError, match="no room offers this track"):
                b.audio("TR_nobody")
            with pytest.raises(Exception, match="canPublishSources"):
                a.publish_video(width=64, height=64, source=TrackSource.CAMERA)

    with realm(livekit=livekit_server, prefix=f"connect-{next(names)}-") as one:
        kit.run(scenario)


def test_without_livekit_there_is_no_voice(kit, plain):
    async def scenario(kit):
        async with kit.connect(plain.url, wallet=ONE) as a:
            with pytest.raises(LocalProtocolError, match="no tracks"):
                a.publish_audio()

    kit.run(scenario)


def test_a_world_a_signed_login_and_an_island_service_by_themselves(kit, plain):
    async def scenario(kit):
        service = f"archipelago:archipelago:{plain.url.replace('http', 'ws')}/archipelago/ws"
        async with (
            kit.connect(f"{plain.url}/world/foo.dcl.eth", wallet=ONE) as a,
            # No document says where its Pulse is, nor in which realm we are there.
            kit.connect(service, wallet=TWO, pulse=plain.pulse_at, realm_name="embedded") as b,
        ):
            assert a.island is None
            assert b.realm is None
            assert b.island is not None
            with pytest.raises(LocalProtocolError, match="for a realm"):
                async with kit.connect("simulator:alone?identity=me") as c:
                    c.enter_scene("bafk", (0, 0))

    kit.run(scenario)


# --- what goes wrong


def test_a_realm_that_goes_down_and_comes_back(kit, plain):
    async def scenario(kit):
        async with kit.connect(plain.url, wallet=ONE) as a, kit.connect(plain.url, wallet=TWO) as b:
            await meet(kit, a, b)
            await kit.in_thread(plain.down)
            await a.read_for(0.2)
            await kit.in_thread(plain.up)
            await a.expect(Reconnected, room="island")
            await meet(kit, a, b)
            b.chat("here again")
            await heard(kit, a, ChatReceived, b)
            assert a.stats.reconnects

    kit.run(scenario)


@pytest.mark.livekit
def test_a_livekit_server_that_is_killed_and_restarted(kit, private_livekit_server):
    async def scenario(kit):
        async with kit.connect(one.url, wallet=ONE) as a, kit.connect(one.url, wallet=TWO) as b:
            await meet(kit, a, b)
            await kit.in_thread(private_livekit_server.restart)
            await until(kit, lambda: a.all(Reconnected) and b.all(Reconnected), a, b, timeout=40.0)
            await meet(kit, a, b)
            b.chat("here again")
            await heard(kit, a, ChatReceived, b)

    with realm(livekit=private_livekit_server) as one:
        kit.run(scenario)


def test_a_second_login_ends_the_first(kit, place):
    async def scenario(kit):
        async with kit.connect(place.url, wallet=ONE) as a:
            with pytest.raises(ConnectionLost) as caught:
                async with kit.connect(place.url, wallet=ONE):
                    await a.expect(IslandChanged, island="none such")
            assert (caught.value.reason, caught.value.retry) == (CloseReason.DUPLICATE_IDENTITY, Retry.NEVER)

    kit.run(scenario)


def test_who_is_banned_is_put_out_and_not_let_in_again(kit, plain):
    async def scenario(kit):
        async with kit.connect(plain.url, wallet=ONE) as a:
            plain.ban(ONE.address)
            with pytest.raises(ConnectionLost):
                await a.expect(RoomOpened, room="none such")
        with pytest.raises(ConnectionLost) as caught:
            async with kit.connect(plain.url, wallet=ONE):
                raise AssertionError
        assert (caught.value.reason, caught.value.retry) == (CloseReason.BANNED, Retry.NEVER)

    kit.run(scenario)


def test_without_a_wallet_it_says_what_is_missing(kit, plain):
    async def scenario(kit):
        with pytest.raises(ConnectionLost) as caught:
            async with kit.connect(plain.url):
                raise AssertionError
        assert caught.value.reason is CloseReason.NO_WALLET

    kit.run(scenario)


def test_what_is_no_realm(kit):
    async def scenario(kit):
        for url in ("https://", "http://user:word@127.0.0.1/"):
            with pytest.raises(InvalidConnectionString):
                async with kit.connect(url):
                    raise AssertionError
        with pytest.raises(ConnectionLost) as caught:
            async with kit.connect("http://192.0.2.1"):
                raise AssertionError
        assert caught.value.reason is CloseReason.FORBIDDEN

    kit.run(scenario)


# --- hostile realms


def silent(connection):
    connection.recv(1)


PAGES = {
    "garbage": (answer(200, b"\xff\x00{"), CloseReason.PROTOCOL),
    "no json": (answer(200, b"<html>"), CloseReason.PROTOCOL),
    "another protocol": (answer(200, b'{"comms":{"healthy":true,"protocol":"v2"}}'), CloseReason.PROTOCOL),
    "huge": (answer(200, b" " * 3_000_000), CloseReason.PROTOCOL),
    "endless redirects": (answer(302, location="/about"), CloseReason.PROTOCOL),
    "error": (answer(500), CloseReason.UNREACHABLE),
    "silence": (silent, CloseReason.TIMEOUT),
}


@pytest.mark.parametrize("page", PAGES)
def test_realms_that_say_nothing_of_use(kit, page):
    content, reason = PAGES[page]

    async def scenario(kit):
        patience = 1.5 if reason is CloseReason.TIMEOUT else 40.0
        with pytest.raises(ConnectionLost) as caught:
            async with kit.connect(site.url(""), wallet=ONE, timeout=patience):
                raise AssertionError
        assert caught.value.reason is reason

    with Site({"/about": content}) as site:
        kit.run(scenario)


def service(script):
    """A realm whose island service does what the script says."""

    def handle(connection):
        for packet in script(connection):
            connection.send(encode(packet))
        for _ in connection:
            pass

    return handle


def challenge(text):
    def script(connection):
        connection.recv()
        yield ServerPacket(challenge_response=ChallengeResponseMessage(challenge_to_sign=text, already_connected=False))

    return script


def islands_without_end(connection):
    connection.recv()
    yield ServerPacket(challenge_response=ChallengeResponseMessage(challenge_to_sign="dcl-1", already_connected=False))
    connection.recv()
    yield ServerPacket(welcome=WelcomeMessage(peer_id=ONE.address.lower()))
    for number in range(1_000):
        time.sleep(0.001)
        where = f"simulator:{connection.id}-{number % 7}?identity={ONE.address}"
        yield ServerPacket(
            island_changed=IslandChangedMessage(
                island_id=f"I{number}", conn_str=where, peers={f"0x{number:040x}": common.Position(x=1.0, y=0.0, z=2.0)}
            )
        )


SCRIPTS = {
    "not ours to sign": (challenge("Decentraland Login\nEphemeral address: 0x0"), CloseReason.SIGNING_REFUSED),
    "very long": (challenge("dcl-" + "x" * 5_000), CloseReason.SIGNING_REFUSED),
    "nothing at all": (lambda _: iter(()), CloseReason.TIMEOUT),
}


def about(ws):
    comms = {"healthy": True, "protocol": "v3", "adapter": f"archipelago:archipelago:{ws}"}
    return answer(200, json.dumps({"healthy": True, "comms": comms}).encode())


@pytest.mark.parametrize("script", SCRIPTS)
def test_island_services_that_want_something_else(kit, script):
    play, reason = SCRIPTS[script]

    async def scenario(kit):
        patience = 1.5 if reason is CloseReason.TIMEOUT else 40.0
        with pytest.raises(ConnectionLost) as caught:
            async with kit.connect(site.url(""), wallet=ONE, timeout=patience, reconnect=False, guard=guard):
                raise AssertionError
        assert caught.value.reason is reason

    with websocket_server(service(play)) as ws, Site({"/about": about(ws)}) as site:
        guard = ChallengeGuard().allowing(ws)
        kit.run(scenario)


def test_an_island_service_elsewhere_gets_no_signature(kit):
    async def scenario(kit):
        with pytest.raises(ConnectionLost, match="not on the allow-list"):
            async with kit.connect(site.url(""), wallet=ONE):
                raise AssertionError

    with websocket_server(service(challenge("dcl-1"))) as ws, Site({"/about": about(ws)}) as site:
        kit.run(scenario)


def test_islands_without_end_cost_no_more_than_they_are(kit):
    async def scenario(kit):
        limits = Limits(event_queue=500)
        async with kit.connect(site.url(""), wallet=ONE, limits=limits, guard=guard) as a:
            await until(kit, lambda: a.island.island == "I999" and a.state is RoomState.OPEN, a)
            await a.read_for(0.5)
            # Unread, only the newest is kept.
            assert len(a.all(IslandChanged)) + a.stats.lost.get("coalesced", 0) > 500
            # The links of all those rooms are gone.
            assert len(a.connection.driver.link.rooms) == 1

    with websocket_server(service(islands_without_end)) as ws, Site({"/about": about(ws)}) as site:
        guard = ChallengeGuard().allowing(ws)
        kit.run(scenario)


# --- journals


def test_a_journal_of_a_realm_runs_again(kit, plain):
    journal = Journal()

    async def scenario(kit):
        async with (
            kit.connect(plain.url, wallet=DisposableWallet(), journal=journal) as a,
            kit.connect(plain.url, wallet=TWO) as b,
        ):
            await meet(kit, a, b)
            a.enter_scene("bafk", (0, 0))
            await until(kit, lambda: any(event.room == "scene" for event in a.all(RoomOpened)), a)
            b.chat("hello")
            await heard(kit, a, ChatReceived, b)
            a.move((300.0, 0.0, 0.0))
            await a.read_for(0.5)

    kit.run(scenario)
    replay = Journal.read(journal.text()).replay()
    assert replay.identical, replay
    assert replay.steps > 20
