"""Rooms of our own server, joined by our clients and by others' unmodified ones."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from dcl_comms_drivers.realm.livekit_binary import ServerProblem, ServerUnavailable
from dcl_comms_drivers.realm.rooms import RoomHost
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.page import names_of
from rigs.interop.browser_peer import BrowserPeer, chromium
from rigs.interop.npm import installed, refuse

from dcl_comms_core import (
    ChatReceived,
    CloseReason,
    ConnectionLost,
    PacketRejected,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerUpdated,
    Reconnected,
    RoomOpened,
)

pytestmark = pytest.mark.usefixtures("rtc")

ALICE, BOB, PAGE = "0x" + "a1" * 20, "0x" + "b0" * 20, "0x" + "b2" * 20


@pytest.fixture
def server(rtc):
    with RoomHost.start() as running:
        yield running


@pytest.fixture(params=[*[(loop, "rtc") for loop in LOOPS], ("asyncio", "livekit")], ids="-".join)
def kit(request):
    loop, engine = request.param
    return Kit(loop, engine=engine)


# --- our own clients, over our engine and over the wheel's


def test_packets_go_both_ways(kit, server):
    async def scenario(kit):
        async with kit.connect(server.connection_string(ALICE, "plaza")) as alice:
            async with kit.connect(server.connection_string(BOB, "plaza")) as bob:
                await alice.expect(PeerJoined)
                alice.chat("from alice")
                await bob.expect(ChatReceived, text="from alice")
                bob.chat("for alice alone", to=ALICE)
                assert (await alice.expect(ChatReceived, text="for alice alone")).private
                assert sorted(server.list_participants("plaza")) == [ALICE, BOB]
            await alice.expect(PeerLeft)
            assert server.list_participants("plaza") == [ALICE]
        assert server.list_rooms() == ["plaza"]

    kit.run(scenario)


def test_who_is_removed_is_told_so(kit, server):
    async def scenario(kit):
        async with kit.connect(server.connection_string(ALICE, "plaza"), reconnect=False) as alice:
            await alice.expect(RoomOpened)
            server.remove_participant("plaza", ALICE)
            with pytest.raises(ConnectionLost) as removed:
                await alice.read_for(40)
            assert removed.value.reason is CloseReason.REMOVED

    kit.run(scenario)


def test_attributes_are_known_to_others(kit, server):
    async def scenario(kit):
        async with (
            kit.connect(server.connection_string(ALICE, "plaza")) as alice,
            kit.connect(server.connection_string(BOB, "plaza")),
        ):
            await alice.expect(PeerJoined)
            server.update_participant("plaza", BOB, attributes={"mood": "good"})
            while (await alice.expect(PeerUpdated)).attributes.get("mood") != "good":
                pass

    kit.run(scenario)


# --- the official client of Python


@asynccontextmanager
async def official(server, who):
    """The unmodified client in the room, and what it gets."""
    from livekit import rtc

    room, got = rtc.Room(), asyncio.Queue()
    room.on("data_received", lambda packet: got.put_nowait(("data", packet)))
    for name in ("participant_connected", "participant_disconnected", "participant_attributes_changed"):
        room.on(name, lambda *arguments, name=name: got.put_nowait((name, arguments[-1].identity)))
    await room.connect(server.url, server.token(who, "plaza"))
    try:
        yield room, got
    finally:
        await room.disconnect()


async def next_of(got, kind):
    async with asyncio.timeout(40):
        while True:
            what, value = await got.get()
            if what == kind:
                return value


@pytest.mark.parametrize("reliable", [True, False], ids=["reliable", "lossy"])
def test_the_official_client_speaks_with_itself_and_with_us(server, reliable):
    async def scenario(kit):
        async with official(server, "alice") as (alice, hers), official(server, "bob") as (bob, his):
            assert list(bob.remote_participants) == ["alice"]
            assert await next_of(hers, "participant_connected") == "bob"
            await alice.local_participant.publish_data(b"to all", reliable=reliable, topic="t")
            packet = await next_of(his, "data")
            assert (packet.data, packet.topic, packet.participant.identity) == (b"to all", "t", "alice")
            async with kit.connect(server.connection_string(ALICE, "plaza")) as ours:
                await next_of(hers, "participant_connected")
                await bob.local_participant.publish_data(b"to one", reliable=reliable, destination_identities=[ALICE])
                assert (await ours.expect(PacketRejected)).sender == PeerId("bob")
                ours.send_bytes(bytes(14_000), to=[PeerId("bob")])
                assert len((await next_of(his, "data")).data) == 14_000
            assert await next_of(hers, "participant_disconnected") == ALICE
            await alice.local_participant.set_attributes({"mood": "good"})
            assert await next_of(his, "participant_attributes_changed") == "alice"
        # It does not wait for the answer to its leave.
        await kit.until(lambda: server.list_participants("plaza") == [])

    Kit("asyncio", engine="rtc").run(scenario)


# --- a browser


@pytest.mark.browser
@pytest.mark.node
@pytest.mark.timeout(180)
def test_a_browser_speaks_with_us(server):
    browser = chromium()
    if browser is None:
        refuse("there is no Chromium here (make ci-deps installs one)", "REQUIRE_BROWSER")
    library = installed("browser") / "node_modules" / "livekit-client" / "dist" / "livekit-client.umd.js"

    async def scenario(kit):
        async with kit.connect(server.connection_string(ALICE, "plaza"), silent=True) as alice:
            with BrowserPeer(server.url, server.token(PAGE, "plaza"), browser=browser, library=str(library)) as peer:
                told = await kit.in_thread(lambda: peer.expect("connected", timeout=60))
                assert (told["identity"], told["peers"]) == (PAGE, [ALICE])
                async with kit.connect(server.connection_string(BOB, "plaza"), silent=True):
                    await kit.in_thread(lambda: peer.expect("joined", identity=BOB))
                await kit.in_thread(lambda: peer.expect("left", identity=BOB))
                alice.send_bytes(bytes(range(256)) * 40, to=[PeerId(PAGE)])
                alice.send_bytes(b"end")
                await alice.flush()
                await kit.in_thread(lambda: peer.until(lambda: b"end" in [data for _, data, _ in peer.data()]))
                assert peer.data() == [(ALICE, bytes(range(256)) * 40, ""), (ALICE, b"end", "")]
                for reliable in (True, False):
                    peer.send(b"no packet", to=[ALICE], reliable=reliable)
                    assert (await alice.expect(PacketRejected)).sender == PeerId(PAGE)
            assert (await alice.expect(PeerLeft)).sender == PeerId(PAGE)

    Kit("asyncio", engine="rtc").run(scenario)


# --- sockets that are cut


def test_who_loses_his_socket_resumes_and_loses_nothing(kit, server):
    async def scenario(kit):
        async with (
            kit.connect(server.connection_string(ALICE, "plaza")) as alice,
            kit.connect(server.connection_string(BOB, "plaza")) as bob,
        ):
            await alice.expect(PeerJoined)
            await bob.expect(PeerJoined)
            assert server.cut("plaza", ALICE)
            for number in range(20):
                alice.chat(f"from alice {number}")
                bob.chat(f"from bob {number}")
            await alice.expect(Reconnected)
            alice.chat("last of alice")
            bob.chat("last of bob")
            # A polled one does nothing while nobody polls it.
            await kit.all(
                lambda: alice.expect(ChatReceived, text="last of bob"),
                lambda: bob.expect(ChatReceived, text="last of alice"),
            )
            assert [chat.text for chat in alice.all(ChatReceived)][:-1] == [f"from bob {n}" for n in range(20)]
            assert [chat.text for chat in bob.all(ChatReceived)][:-1] == [f"from alice {n}" for n in range(20)]
            assert not bob.all(PeerLeft)
        assert server.do(lambda rooms, _: rooms.counters["resumed"]) == 1

    kit.run(scenario)


def test_who_is_nobody_has_no_socket(server):
    assert not server.cut("plaza", ALICE)


def test_a_server_that_crashes_and_is_back_is_joined_anew(kit, server):
    async def scenario(kit):
        async with kit.connect(server.connection_string(ALICE, "plaza", ttl=600.0)) as alice:
            await alice.expect(RoomOpened)
            server.restart()

            async def back():
                while server.list_rooms() != ["plaza"] or server.list_participants("plaza") != [ALICE]:
                    await alice.read_for(0.05)

            await kit.within(40, back)

    kit.run(scenario)


def test_the_page_s_program_runs(rtc, capsys):
    asyncio.run(names_of("rooms.md", 3)["main"]())
    chat, listed = capsys.readouterr().out.splitlines()
    assert "text='hello'" in chat
    assert listed == str([ALICE, BOB])


# --- its life


def test_it_ends_and_begins_again_at_the_same_place(server):
    place = server.url, server.udp_port
    assert server.alive
    server.kill()
    assert not server.alive
    with pytest.raises(ServerUnavailable, match="restart"):
        server.list_rooms()
    server.restart()
    assert (server.url, server.udp_port) == place
    assert server.list_rooms() == []
    assert server.secret not in repr(server)
    server.stop()
    server.stop()


def test_a_port_that_is_taken_is_an_error(server):
    with pytest.raises(OSError, match="address already in use"):
        RoomHost.start(port=server.port)
    with pytest.raises(OSError, match="already in use"):
        RoomHost.start(udp_port=server.udp_port)


def test_what_the_room_service_refuses_is_an_error(server):
    with pytest.raises(ServerUnavailable, match="room does not exist"):
        server.delete_room("nowhere")
    with pytest.raises(ServerUnavailable, match="participant does not exist"):
        server.remove_participant("nowhere", ALICE)
    assert server.list_participants("nowhere") == []


def test_without_the_engine_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dcl_comms_rtc", None)
    with pytest.raises(ServerUnavailable, match="make rtc") as caught:
        RoomHost.start()
    assert caught.value.problem is ServerProblem.NOT_FOUND


def test_an_engine_that_is_older_is_to_be_built_again(monkeypatch):
    class Older:
        def __init__(self, now):
            del now

    monkeypatch.setitem(__import__("sys").modules, "dcl_comms_rtc", SimpleNamespace(Peer=Older))
    with pytest.raises(ServerUnavailable, match=r"older.*make rtc") as caught:
        RoomHost.start()
    assert caught.value.problem is ServerProblem.NOT_FOUND
