"""Which engine a room gets, and that its connection says so: on every loop, of one room and of a realm's."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.livekit.choice import RoomEngine, choose_engine
from dcl_comms_drivers.livekit.rtc.auto import forget_hosts
from dcl_comms_drivers.wallet import DisposableWallet
from rigs.drivers.kit import LOOPS, Kit

from dcl_comms_core import Limits, RoomOpened, WarningCode
from dcl_comms_core.events import Warning as WarningEvent

ALICE = "0x" + "a1" * 20
in_each = pytest.mark.parametrize("loop", LOOPS)


@pytest.fixture(autouse=True)
def no_memory():
    forget_hosts()
    yield
    forget_hosts()


@pytest.mark.parametrize(
    ("asked", "tracks", "installed", "silent", "engine", "why"),
    [
        ("auto", False, True, False, "rtc", "is installed, and no tracks are wanted"),
        ("auto", False, True, True, "livekit", "no datagram reached this server before"),
        ("auto", False, False, False, "livekit", "is not installed"),
        ("auto", True, True, False, "livekit", "tracks may be wanted"),
        ("rtc", True, False, True, "rtc", "asked for"),
        ("livekit", False, True, False, "livekit", "asked for"),
    ],
)
def test_the_choice_has_a_reason(monkeypatch, asked, tracks, installed, silent, engine, why):
    monkeypatch.setattr("dcl_comms_drivers.livekit.choice.has_rtc", lambda: installed)
    choice = choose_engine(RoomEngine(asked), tracks=tracks, silent=silent)
    assert choice.engine.value == engine
    assert why in choice.why


@in_each
@pytest.mark.livekit
@pytest.mark.usefixtures("rtc")
@pytest.mark.parametrize(
    ("settings", "link"),
    [({"subscribe": "none"}, "rtc"), ({}, "engine"), ({"engine": "livekit"}, "engine"), ({"engine": "rtc"}, "rtc")],
)
def test_the_connection_says_what_it_is(loop, livekit_room, settings, link):
    async def scenario(kit):
        async with kit.connect(livekit_room().connection_string(ALICE)) as alice:
            await alice.expect(RoomOpened)
            assert (alice.stats.link, dict(alice.stats.links)) == (link, {})

    Kit(loop, **settings).run(scenario)


@pytest.mark.parametrize(("installed", "engine"), [(True, "rtc"), (False, "livekit")])
def test_without_the_livekit_package_ours_carries_what_it_can(monkeypatch, installed, engine):
    monkeypatch.setattr("dcl_comms_drivers.livekit.choice.has_rtc", lambda: installed)
    monkeypatch.setattr("dcl_comms_drivers.livekit.choice.HAS_PACKAGE", False)
    choice = choose_engine(RoomEngine.AUTO, tracks=True)
    assert (choice.engine.value, "there are no tracks" in choice.why) == (engine, installed)


@in_each
@pytest.mark.livekit
@pytest.mark.usefixtures("rtc")
@pytest.mark.dcl_realm(livekit=True)
def test_of_a_realm_each_room_says_it(loop, dcl_realm):
    async def scenario(kit):
        for hasty, link in ((False, "rtc"), (True, "engine")):
            limits = Limits(ice_seconds=0.0001) if hasty else Limits()
            async with kit.connect(dcl_realm.url, wallet=DisposableWallet(), limits=limits) as alice:
                while (await alice.expect(RoomOpened)).room != "island":
                    pass
                assert (alice.stats.link, dict(alice.stats.links)) == ("world", {"island": link})
                changed = [one.room for one in alice.all(WarningEvent) if one.code is WarningCode.ENGINE_CHANGED]
                assert changed == (["island"] if hasty else [])

    Kit(loop, subscribe="none").run(scenario)


@in_each
@pytest.mark.dcl_realm(livekit=False)
def test_a_ws_room_of_a_realm_is_carried_by_the_net(loop, dcl_realm):
    async def scenario(kit):
        async with kit.connect(dcl_realm.url, wallet=DisposableWallet()) as alice:
            while (await alice.expect(RoomOpened)).room != "island":
                pass
            assert dict(alice.stats.links) == {"island": "net"}

    Kit(loop).run(scenario)
