"""Avatars as explorers take them, avatars that none would take, and our own offered when we are in."""

from __future__ import annotations

import json

import pytest

from dcl_comms_core import LocalProtocolError, PacketTooLarge, PeerId, RoomOpened, WarningCode
from dcl_comms_core.avatars.avatar import Avatar
from dcl_comms_core.avatars.own import OwnProfile
from dcl_comms_core.avatars.people import Asking
from dcl_comms_core.avatars.person import Person, SaidBy

ADDRESS = "0x" + "aB" * 20
BASE = "urn:decentraland:off-chain:base-avatars:"


def test_an_avatar_is_what_a_realm_would_give():
    avatar = Avatar(name="Guide", body="female", wearables=("tiara", "urn:mine"), emotes=("wave", "urn:my:dance"))
    document = json.loads(avatar.serialized(ADDRESS))
    assert document == json.loads(json.dumps(avatar.document(ADDRESS)))
    assert (document["ethAddress"], document["userId"]) == (ADDRESS.lower(), ADDRESS.lower())
    assert (document["name"], document["version"], document["hasClaimedName"]) == ("Guide", 1, False)
    look = document["avatar"]
    assert look["bodyShape"] == BASE + "BaseFemale"
    assert look["wearables"] == [BASE + "tiara", "urn:mine"]
    assert look["emotes"][0] == {"slot": 0, "urn": "urn:decentraland:off-chain:base-emotes:wave"}
    assert look["hair"]["color"] == {"r": 0.28, "g": 0.14, "b": 0.0, "a": 1.0}


@pytest.mark.parametrize("body", ["male", "female", "urn:body"])
def test_nobody_goes_naked_but_whose_body_is_not_ours(body):
    worn = Avatar(name="x", body=body).document(ADDRESS)["avatar"]["wearables"]
    assert (len(worn) > 4) is (body != "urn:body")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""}, {"name": " "}, {"name": "a\nb"}, {"name": "x" * 65}, {"name": 5}, {"body": "robot"},
        {"description": "x" * 1_025}, {"face": None}, {"wearables": "tiara"}, {"wearables": ("",)},
        {"wearables": (5,)}, {"wearables": ("x",) * 65}, {"emotes": ("xyzzy",)}, {"skin": (2.0, 0.0, 0.0)},
        {"hair": (0.0, 0.0)}, {"version": 0}, {"version": 2**32}, {"version": True},
    ],
)  # fmt: skip
def test_what_is_no_avatar(fields):
    with pytest.raises(LocalProtocolError):
        Avatar(**{"name": "x", **fields})


class Bench:
    """A session and people, as far as our own profile needs them."""

    def __init__(self, *, avatar=None, address=ADDRESS, person=None):
        self.refusal = None
        self.offered = []
        self.warnings = []
        self.asked = []
        self.asking = Asking(PeerId(ADDRESS), person)
        self.own = OwnProfile(self, self, avatar=avatar, address=address)

    def offer_profile(self, version, serialized, *, now):
        if self.refusal is not None:
            raise self.refusal
        self.offered.append((version, json.loads(serialized)["name"], now))

    def warn(self, code, text):
        self.warnings.append((code, text))

    def ask(self, who, *, now):
        self.asked.append((who, now))
        return self.asking

    def open(self, now=5.0):
        self.own.take([], now=now)
        self.own.look(now)
        opened = RoomOpened(at=now, room="", identity=PeerId(ADDRESS), name="", sid="")
        self.own.take([opened], now=now)
        self.own.take([opened], now=now)


def person(source, **fields):
    return Person(id=PeerId(ADDRESS), at=0.0, said_by=source, **fields)


def test_an_avatar_is_offered_once_when_we_are_in():
    bench = Bench(avatar=Avatar(name="Guide", version=3))
    bench.open()
    assert (bench.offered, bench.asked, bench.warnings) == ([(3, "Guide", 5.0)], [], [])


def test_the_wallets_own_profile_is_asked_for_and_offered():
    bench = Bench()
    bench.open()
    assert bench.asked == [(PeerId(ADDRESS), 5.0)]
    bench.own.look(6.0)
    assert bench.offered == []
    bench.asking.person = person(SaidBy.REALM, version=8, raw='{"name": "Deployed"}')
    bench.own.look(7.0)
    bench.own.look(8.0)
    assert (bench.offered, bench.warnings) == ([(8, "Deployed", 7.0)], [])


@pytest.mark.parametrize("source", [SaidBy.NOBODY, SaidBy.PEER])
def test_a_wallet_without_a_profile_is_told_so(source):
    bench = Bench(person=person(source))
    bench.open()
    assert bench.offered == []
    ((code, text),) = bench.warnings
    assert code is WarningCode.NO_PROFILE
    assert "profile=Avatar" in text


def test_a_guest_asks_nobody():
    bench = Bench(address=None)
    bench.open()
    assert (bench.offered, bench.asked, bench.warnings) == ([], [], [])


def test_a_profile_that_can_not_be_offered_is_told_of():
    bench = Bench(avatar=Avatar(name="Guide"))
    bench.refusal = PacketTooLarge(70_000, 60_000)
    bench.open()
    ((code, _),) = bench.warnings
    assert code is WarningCode.NO_PROFILE
