"""Worlds with a password, and the rooms of a world's scenes: from connect() to the embedded realm, on every loop."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.settings import Options
from dcl_comms_drivers.wallet import DisposableWallet
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.realm import realm

from dcl_comms_core import CloseReason, ConnectionLost, Journal, Limits, Retry, RoomOpened

SECRET = "open sesame"


@pytest.fixture(params=LOOPS)
def kit(request):
    return Kit(request.param)


@pytest.fixture
def place():
    with realm() as one:
        one.set_secret("Locked.dcl.eth", SECRET)
        yield one


async def refusal(kit, url, **settings):
    with pytest.raises(ConnectionLost) as caught:
        async with kit.connect(url, **settings):
            raise AssertionError
    return caught.value.reason, caught.value.retry


def test_a_password_opens_a_world_and_three_wrong_ones_close_it_for_a_minute(kit, place):
    async def scenario(kit):
        wallet, url = DisposableWallet(), f"{place.url}/world/locked.dcl.eth"
        journal = Journal()
        async with kit.connect(url, wallet=wallet, secret=SECRET, journal=journal) as a:
            assert a.realm.name == "locked.dcl.eth"
        assert SECRET not in journal.text()
        assert Journal.read(journal.text()).replay().identical
        for settings in ({}, {"secret": "sesame"}, {"secret": ""}):
            answer = await refusal(kit, url, wallet=wallet, **settings)
            assert answer == (CloseReason.WRONG_SECRET, Retry.NEVER)
        assert await refusal(kit, url, wallet=wallet, secret=SECRET) == (CloseReason.THROTTLED, Retry.BACKOFF)
        place.set_secret("locked.dcl.eth", None)
        async with kit.connect(url, wallet=wallet) as b:
            assert b.realm.name == "locked.dcl.eth"

    kit.run(scenario)


def test_a_worlds_scenes_are_rooms_of_their_own(kit, place):
    async def scenario(kit):
        url = f"{place.url}/world/locked.dcl.eth"
        async with (
            kit.connect(url, wallet=DisposableWallet(), secret=SECRET) as a,
            kit.connect(url, wallet=DisposableWallet(), secret=SECRET) as b,
        ):
            for one, scene in ((a, "bafka"), (b, "bafkb")):
                one.enter_scene(scene, (0, 0))
                opened = await one.expect(RoomOpened, room="scene")
                assert opened.name == f"world-scene-room-locked.dcl.eth-{scene}"

    kit.run(scenario)


def test_no_repr_shows_a_password():
    assert SECRET not in repr(Options.of({"secret": SECRET, "limits": Limits()}))
