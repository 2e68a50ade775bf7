"""Who is who, and who we are: in the embedded realm, in a simulated room, on every loop."""

from __future__ import annotations

import asyncio
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.request import urlopen

import pytest
import trio
from dcl_comms_drivers import polled
from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.settings import Options
from dcl_comms_drivers.testing import run_bot
from dcl_comms_drivers.wallet import DisposableWallet
from rigs.drivers.kit import Kit

from dcl_comms_core import (
    Avatar,
    ConnectionLost,
    Fetch,
    Fetched,
    LocalProtocolError,
    Packet,
    PeerId,
    PeerJoined,
    ProfileAnnounced,
    ProfileReceived,
    ProfileRequest,
    ProfileResponse,
    RoomOpened,
    SaidBy,
    WarningCode,
    decode,
)  # fmt: skip
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.tap import QuietTap
from dcl_comms_core.testing.script import Join, Remove, Send

ADA = "0x" + "aD" * 20
BOB = "0x" + "b0" * 20
LOOPS = pytest.mark.parametrize("loop", ["asyncio", "trio"])


@pytest.fixture
def place():
    with realm_in_thread(livekit=False) as realm:
        yield realm


class Taps(QuietTap):
    """Counts requests for profiles."""

    def __init__(self):
        self.requests = 0
        self.answers = 0

    def step(self, at, item):
        del at
        self.requests += isinstance(item, Fetch) and "/profiles" in item.url
        self.answers += isinstance(item, Fetched) and "/profiles" in item.url


def test_the_realm_has_profiles_like_a_mapping(place):
    place.profiles[ADA] = Avatar(name="Ada", version=2)
    place.profiles[PeerId(BOB)] = {"avatars": [{"userId": BOB, "name": "Bob"}]}
    assert place.profiles[ADA.lower()]["avatars"][0]["name"] == "Ada"
    assert (len(place.profiles), set(place.profiles)) == (2, {ADA.lower(), BOB})
    del place.profiles[BOB]
    assert BOB not in place.profiles
    with pytest.raises(KeyError):
        place.profiles[BOB]


@LOOPS
def test_many_are_looked_up_with_one_request_and_remembered(loop, place):
    place.profiles[ADA] = Avatar(name="Ada", version=2, body="female")
    place.profiles[BOB] = Avatar(name="Bob")
    taps = Taps()

    async def scenario(kit):
        async with kit.connect(place.url, wallet=DisposableWallet(), tap=taps) as room:
            await room.expect(RoomOpened)
            found = {}

            async def ask(who):
                found[who] = await room.whois(who)

            if kit.loop == "trio":
                async with trio.open_nursery() as nursery:
                    for who in (ADA, BOB, PeerId(ADA)):
                        nursery.start_soon(ask, who)
            else:
                await asyncio.gather(*(ask(who) for who in (ADA, BOB, PeerId(ADA))))
            assert (found[ADA].name, found[BOB].name) == ("Ada", "Bob")
            assert found[ADA] is found[PeerId(ADA)]
            assert (found[ADA].version, found[ADA].claimed, found[ADA].said_by) == (2, False, SaidBy.REALM)
            assert await room.whois(ADA) is found[ADA]
            # One, unless the loop's turn came between them; which batches there are is tested on the virtual clock.
            asked = taps.requests
            assert 1 <= asked == taps.answers <= 2
            nobody = await room.whois("0x" + "ee" * 20)
            assert (nobody.known, nobody.name) == (False, "")
            assert taps.requests == asked + 1

    Kit(loop).run(scenario)


@LOOPS
def test_the_wallets_own_profile_is_announced_and_given(loop, place):
    mine, other = DisposableWallet(), DisposableWallet()
    place.profiles[mine.address] = Avatar(name="Deployed", version=7)

    async def scenario(kit):
        async with kit.connect(place.url, wallet=other) as watcher:
            await watcher.expect(RoomOpened, room="island")
            async with kit.connect(place.url, wallet=mine, is_guest=False) as room:
                me = PeerId(mine.address)
                while (await watcher.expect(ProfileAnnounced, sender=me)).version != 7:
                    pass
                # Whom Pulse showed already comes into the island's room without an event.
                while not watcher.rooms_of(me):
                    await watcher.read_for(0.05)
                watcher.request_profile(me)
                assert json.loads((await watcher.expect(ProfileReceived)).serialized)["name"] == "Deployed"
                assert (await watcher.whois(me)).name == "Deployed"
                assert not room.all(WarningEvent)

    Kit(loop).run(scenario)


@LOOPS
def test_a_wallet_without_a_profile_is_warned_and_a_guest_is_not(loop, place):
    async def scenario(kit):
        async with kit.connect(place.url, wallet=DisposableWallet(), is_guest=False) as room:
            warning = await room.expect(WarningEvent)
            assert warning.code is WarningCode.NO_PROFILE
            assert room.all(RoomOpened)
        taps = Taps()
        async with kit.connect(place.url, wallet=DisposableWallet(), tap=taps) as guest:
            await guest.expect(RoomOpened, room="island")
            await guest.read_for(0.3)
            assert not guest.all(WarningEvent)
            assert taps.requests == 0

    Kit(loop).run(scenario)


# --- in one room


def versions(transcript):
    packets = [decode(packet.data) for packet in transcript.sent]
    return [packet.profile_version.profile_version for packet in packets if packet.profile_version is not None]


async def stay(room):
    async for _ in room:
        pass


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_avatar_is_offered_announced_and_versioned(backend):
    asks = Packet(profile_request=ProfileRequest(address="bot", profile_version=3))
    script = [Join(0.0, "alice"), Send(3.0, "alice", asks), Remove(20.0, "bot")]
    settings = {"profile": Avatar(name="Guide", version=3)}
    transcript = run_bot(stay, script=script, backend=backend, settings=settings)
    assert set(versions(transcript)) == {3}
    answers = [event for event in transcript.heard["alice"] if isinstance(event, ProfileReceived)]
    assert [json.loads(event.serialized)["name"] for event in answers] == ["Guide"]


@pytest.mark.parametrize(
    ("settings", "told"), [({}, set()), ({"profile_version": 5}, {5}), ({"silent": True}, set()),
                           ({"silent": True, "profile": Avatar(name="x")}, set())]
)  # fmt: skip
def test_what_is_announced_in_a_play(settings, told):
    transcript = run_bot(stay, script=[Join(0.0, "alice"), Remove(20.0, "bot")], settings=settings)
    assert set(versions(transcript)) == told


def test_outside_of_plays_version_0_is_announced_unless_asked_otherwise():
    for given, version, looks_up in (
        ({}, 0, True),
        ({"profile_version": 5}, 5, False),
        ({"profile": Avatar(name="x", version=2)}, 2, False),
        ({"silent": True}, None, False),
    ):
        options = Options.of(given)
        assert (options.profile_version, options.looks_up) == (version, looks_up)


def test_a_profile_is_an_avatar():
    with pytest.raises(LocalProtocolError, match="profile="):
        polled.open("simulator:x", profile="Guide")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_without_a_realm_the_peer_is_asked(backend):
    people = []

    async def bot(room):
        async for event in room:
            if isinstance(event, PeerJoined):
                people.append(await room.whois(event.sender))
                people.append(await room.whois("nobody"))
                return

    said = Packet(profile_response=ProfileResponse(serialized_profile='{"name": "Alice", "version": 4}', base_url=""))
    run_bot(bot, script=[Join(0.5, "alice"), Send(2.0, "alice", said)], backend=backend)
    assert [(person.name, person.version, person.said_by) for person in people] == [
        ("Alice", 4, SaidBy.PEER),
        ("", 0, SaidBy.NOBODY),
    ]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_question_ends_with_the_room(backend):
    async def bot(room):
        async for event in room:
            if isinstance(event, PeerJoined):
                with pytest.raises(ConnectionLost):
                    await room.whois(event.sender)

    run_bot(bot, script=[Join(0.5, "alice"), Remove(2.0, "bot")], backend=backend)


def test_who_polls_asks_again_until_it_is_known(place):
    place.profiles[ADA] = Avatar(name="Ada")
    with polled.open(place.url, wallet=DisposableWallet()) as room:
        while not any(isinstance(event, RoomOpened) for event in room.poll()):
            room.wait(0.1)
        while (person := room.whois(ADA)) is None:
            room.wait(0.1)
            room.poll()
        assert person.name == "Ada"


@pytest.fixture
def elsewhere():
    """A server that somebody names, and the paths that it was asked for."""
    asked = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

        def do_POST(self):
            self.do_GET()

        def log_message(self, *_):
            """Nothing has to be printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Urls(QuietTap):
    """Keeps where requests go."""

    def __init__(self):
        self.all = []

    def step(self, at, item):
        del at
        if isinstance(item, Fetch):
            self.all.append(item.url)


@LOOPS
def test_nobody_is_asked_at_an_address_that_a_peer_names(loop, place, elsewhere):
    url, asked = elsewhere
    mine, theirs = DisposableWallet(), DisposableWallet()
    urls = Urls()
    said = {"name": "Eve", "version": 7, "avatar": {"snapshots": {"face256": f"{url}/face.png"}}}

    async def scenario(kit):
        async with kit.connect(place.url, wallet=mine, tap=urls) as room:
            await room.expect(RoomOpened, room="island")
            async with kit.connect(place.url, wallet=theirs) as peer:
                await peer.expect(RoomOpened, room="island")
                peer.offer_profile(7, json.dumps(said), base_url=f"{url}/content/")
                eve = PeerId(theirs.address)
                while not room.rooms_of(eve):
                    await room.read_for(0.05)
                # An answer may be late: who is not known is asked again after a while.
                while not (person := await room.whois(eve)).known:
                    await room.read_for(0.2)
                assert (person.name, person.said_by, person.face) == ("Eve", SaidBy.PEER, "")
                room.request_profile(eve)
                assert (await room.expect(ProfileReceived, sender=eve)).base_url == f"{url}/content/"
                assert (await room.whois(eve)).name == "Eve"

    Kit(loop).run(scenario)
    assert any("/profiles" in one for one in urls.all)
    assert {one for one in urls.all if not one.startswith(place.url)} == set()
    with urlopen(f"{url}/control", timeout=60.0) as answer:  # noqa: S310 - a server of ours
        assert answer.status == 200
    assert asked == ["/control"]
