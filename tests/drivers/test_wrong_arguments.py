"""Arguments that are wrong: a typed error that says what to do, from every verb, every setting, every constructor."""

from __future__ import annotations

import math

import pytest
from dcl_comms_drivers import polled
from dcl_comms_drivers.connection.base import BaseConnection
from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.settings import Options, Settings
from dcl_comms_drivers.wallet import DisposableWallet, LocalWallet
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.verbs import IN_A_REALM, IN_A_ROOM, WAITING, WHO, call

from dcl_comms_core import (
    Backoff,
    ChallengeGuard,
    CloseReason,
    CommsError,
    ConnectionLost,
    Limits,
    LocalProtocolError,
    PeerId,
    RoomOpened,
    ScenesOnly,
)

JUNK = object()
WRONG = {
    "chat": [(5,), (None,), (b"x",), ("",), ("x" * 8_193,), ("a", "0x" + "aa" * 20)],
    "move": [((1, 2),), (None,), ("123",), ((1, 2, math.nan),)],
    "emote": [("",), (5,), ("a b",)],
    "walk_to": [(5,), (None,), ([],), ((1, 2),), ((1, 2, math.nan),)],
    "follow": [(5,), (None,), ((1, 2, 3),)],
    "face": [(None,), ((1, 2),), (math.nan,), ((1, 2, math.inf),)],
    "stand": [],
    "ignore": [(5,), (None,), ("",)],
    "unignore": [(5,), (None,), ("",)],
    "announce_profile": [("1",), (-1,), (None,)],
    "offer_profile": [(1, "no json"), (1, None), ("1", "{}")],
    "request_profile": [("0x" + "aa" * 20,), (None,), (5,)],
    "react": [(-1,), ("1",), (4096,)],
    "react_to": [("x", 1), ("", 1), (5, 1), ("0xabc:1.5", -1)],
    "scene_message": [("bafy", "text"), (5, b"x"), ("bafy", bytes(30_001))],
    "send_nowait": [(b"x",), (None,), ("x",)],
    "send_bytes": [("text",), (None,), (5,)],
    "subscribe": [(None,), (5,)],
    "unsubscribe": [(None,), (5,)],
    "publish_audio": [(5,)],
    "publish_video": [("x",)],
    "audio": [(None,), (5,)],
    "video": [(None,), (5,)],
    "enter_scene": [("", (0, 0)), (5, (0, 0)), ("bafy", (0,)), ("bafy", "00"), ("bafy", (0.5, 0)), ("bafy", None)],
    "leave_scene": [],
    "set_position": [((1, 2),), (None,), ("123",), ((1, 2, math.inf),)],
    "set_desired_room": [(5,), (b"I1",), ("x" * 20_000,)],
    "send": [(None,), ("x",), (5,)],
    "whois": [(None,), ("",), (5,)],
}
NAMED = {"leave_scene": [{"drain": "5"}, {"drain": math.inf}], "chat": [{"to": None}, {"channel": 5}, {"stamp": "now"}]}
WALKS = {
    "walk_to": [((1, 0, 2), {"stop": -1.0}), ((1, 0, 2), {"pace": "fast"}), ((1, 0, 2), {"pace": 0.0})],
    "follow": [(WHO, {"metres": -1.0}), (WHO, {"pace": None})],
}
TYPE_ERRORS = {"publish_video"}
"""Python itself refuses a positional argument here."""


def test_every_verb_is_in_the_table():
    assert WRONG.keys() == {*IN_A_ROOM, *IN_A_REALM, *WAITING}


@pytest.mark.parametrize("loop", LOOPS)
def test_no_verb_of_a_realm_takes_it(loop):
    async def scenario(kit):
        async with kit.connect(realm.url, wallet=DisposableWallet()) as me:
            await me.expect(RoomOpened)
            before = me.stats.waiting, me.stats.in_flight
            for verb, wrong in WRONG.items():
                if verb in WAITING and kit.loop == "polled":
                    continue
                for args, named in [*((args, {}) for args in wrong), *(((), named) for named in NAMED.get(verb, []))]:
                    usual = ("x",) if named and verb == "chat" else ()
                    with pytest.raises((CommsError, TypeError) if verb in TYPE_ERRORS else CommsError) as caught:
                        answer = getattr(me.connection, verb)(*args, *usual, **named)
                        if verb in WAITING:
                            await answer
                    assert not isinstance(caught.value, ConnectionLost), (verb, args)
                    assert len(str(caught.value)) > 10, (verb, args)
            for verb, wrong in WALKS.items():
                for target, named in wrong:
                    with pytest.raises(LocalProtocolError):
                        getattr(me.connection, verb)(target, **named)
            assert (me.stats.waiting, me.stats.in_flight) == before
            for look in (
                me.traffic,
                me.profile,
                me.rooms_of,
                me.peers.get,
                me.peers.__getitem__,
                me.peers.__contains__,
            ):
                for who in ("", None, 5):
                    with pytest.raises(LocalProtocolError, match=r"PeerId|identity"):
                        look(who)
            for who in (WHO, WHO.text):
                assert [look(who) for look in (me.traffic, me.profile, me.peers.get)] == [None] * 3
                assert (me.rooms_of(who), who in me.peers) == ((), False)
            call(me.connection, "chat")

    with realm_in_thread(livekit=False) as realm:
        Kit(loop).run(scenario)


@pytest.mark.parametrize("verb", sorted(IN_A_REALM))
def test_a_verb_of_a_realm_in_a_room(verb):
    with polled.open("simulator:one-room") as room, pytest.raises(LocalProtocolError, match="for a realm"):
        call(room, verb)


SETTINGS = {
    "wallet": [5, "0xkey", JUNK],
    "guard": [5, "example.com", ["example.com"]],
    "limits": [{}, None, 5],
    "timeout": ["5", -1, math.nan, math.inf, True],
    "reconnect": [5, None, "yes", {}],
    "subscribe": [5, "some", None],
    "on_full": [5, "wait", None],
    "delivery": [5, "raw", None],
    "profile_version": ["1", -1, 1.5, True, 2**32],
    "silent": [1, "yes", None],
    "profile": ["Ada", {"name": "Ada"}, 5],
    "ignore": [5, "0x" + "aa" * 20, {"abuse_over": 100}],
    "movement_codec": [5, "v1"],
    "seen": [5, []],
    "engine": [5, "sdk"],
    "livekit": [5, "rtc?"],
    "plain": [1, "yes", None],
    "tls": [5, True],
    "position": [(1, 2), 5, "123", None, (1, 2, math.nan), {1, 2, 3}],
    "gatekeeper": [5, b"https://x"],
    "realm_name": [5, b"main"],
    "secret": [5, b"word"],
    "is_guest": [1, "yes"],
    "heartbeat": ["1", None, True],
    "pulse": [5, b"h:1", True, "", "h:x", "https://h", ("h", 1)],
    "away": ["later", 5, True, None],
    "journal": [5, b"file", True],
    "log": [5, True, b"x"],
    "tap": [5, print],
}


def test_every_setting_is_in_the_table():
    assert SETTINGS.keys() == Settings.__annotations__.keys()


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, wrong in SETTINGS.items() for value in wrong])
def test_no_setting_takes_it(name, value):
    with pytest.raises(LocalProtocolError) as caught:
        Options.of({name: value})
    assert len(str(caught.value)) > 10
    with pytest.raises(LocalProtocolError):
        polled.open("simulator:settings", **{name: value})


@pytest.mark.parametrize(
    "make",
    [
        lambda: Limits(peers="5"),
        lambda: Limits(peers=None),
        lambda: Limits(peers=True),
        lambda: Limits(connect_seconds=math.nan),
        lambda: Limits(send_queue=10**400 * -1),
        lambda: Backoff(initial="1"),
        lambda: Backoff(attempts=1.5),
        lambda: Backoff(jitter=None),
        lambda: Backoff(factor=math.inf),
        lambda: ChallengeGuard("example.com"),
        lambda: ChallengeGuard(5),
        lambda: ChallengeGuard([5]),
        lambda: LocalWallet(5),
        lambda: LocalWallet("key"),
        lambda: PeerId(5),
        lambda: ScenesOnly((0, 0, 1)),
        ScenesOnly,
        lambda: polled.open(5),
        lambda: polled.open(None),
        lambda: polled.open(""),
    ],
)
def test_no_constructor_takes_it(make):
    with pytest.raises(CommsError) as caught:
        make()
    assert str(caught.value)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_realm_without_a_wallet_says_what_to_pass(loop):
    async def scenario(kit):
        with pytest.raises(ConnectionLost, match=r"wallet=DisposableWallet\(\)") as caught:
            async with kit.connect(realm.url):
                raise AssertionError
        assert caught.value.reason is CloseReason.NO_WALLET

    with realm_in_thread(livekit=False) as realm:
        Kit(loop).run(scenario)


def test_reads_of_a_room_say_it_too():
    with polled.open("simulator:reads") as room:
        assert isinstance(room, BaseConnection)
        for look in (room.traffic, room.profile, room.rooms_of):
            with pytest.raises(LocalProtocolError, match="PeerId"):
                look(5)
            assert not look(WHO)
            assert not look(WHO.text)
