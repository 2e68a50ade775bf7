"""WorldSession against servers that mean no good: whatever they say, it costs little, raises nothing, and it ends or goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.world import GATE, LOGIN, REALM, STEADY, Universe, about, end, in_a_world, said, settled

from dcl_comms_core import (
    CloseReason,
    Fetch,
    Fetched,
    LimitReached,
    Limits,
    LinkRef,
    OpenSocket,
    PacketsDropped,
    Retry,
    RoomState,
    SocketClosed,
    SocketOpened,
    WorldClosed,
)

STRINGS = st.sampled_from(
    [
        "",
        ":",
        "offline:offline",
        "archipelago:" * 6 + "x",
        f"signed-login:{LOGIN}",
        f"fixed-adapter:signed-login:{LOGIN}",
        "signed-login:https://127.0.0.1/x",
        "signed-login:file:///etc/passwd",
        "ws-room:realm.example/rooms/x",
        "livekit:wss://h?access_token=a.b.c",
        "archipelago:wss://realm.example/ws",
        "simulator:x",
        "simulator:x?latency=nan",
    ]
) | st.text(max_size=30)
KEYS = st.sampled_from(
    ["comms", "adapter", "fixedAdapter", "protocol", "error", "message", "configurations", "realmName", "healthy"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())
ANSWERS = st.tuples(
    st.sampled_from([200, 200, 200, 201, 204, 301, 401, 403, 404, 429, 500, 503, 0, -1, 99999]),
    st.dictionaries(st.sampled_from(["retry-after", "Retry-After", "content-type"]), st.text(max_size=20), max_size=2),
    BODIES,
)


@given(realm=ANSWERS, login=ANSWERS, gate=ANSWERS)
@settings(max_examples=50)
def test_any_answers_to_any_questions(realm: Any, login: Any, gate: Any) -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = realm
    here.http["POST", LOGIN] = login
    here.http["POST", GATE] = gate
    alice = here.citizen(gatekeeper=GATE, reconnect=STEADY)
    if alice.session.state is RoomState.CONNECTING:
        alice.call("enter_scene", "a", (0, 0))
    here.run(30.0)
    assert len(alice.asked(Fetch)) < 40
    alice.call("close")
    here.run(10.0)
    assert isinstance(alice.take()[-1], WorldClosed)
    alice.replays()


@given(login=ANSWERS, gate=ANSWERS)
@settings(max_examples=25)
def test_any_answers_on_the_way_back(login: Any, gate: Any) -> None:
    here = Universe()
    alice = in_a_world(here, gatekeeper=GATE)
    here.http["POST", LOGIN] = login
    here.http["POST", GATE] = gate
    here.rooms["world"].delete(now=here.clock.now)
    here.run(0.05)
    alice.call("enter_scene", "a", (0, 0))
    here.run(60.0)
    assert len(alice.asked(Fetch)) < 60
    alice.replays()


def test_adapters_that_lead_to_adapters_have_an_end() -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = about(f"signed-login:{LOGIN}")
    here.http["POST", LOGIN] = said(fixedAdapter=f"signed-login:{LOGIN}")
    alice = here.citizen(reconnect=STEADY, limits=Limits(adapter_hops=3))
    here.run(60.0)
    assert end(alice) == (CloseReason.PROTOCOL, Retry.NEVER)
    assert len(alice.asked(Fetch)) == 1 + 3


@pytest.mark.parametrize("size", [262_145, 2_000_000])
def test_an_about_that_is_too_long_is_not_read(size: int) -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = 200, {}, b" " * size
    alice = here.citizen()
    assert alice.asked(Fetch)[0].max_bytes == 262_144
    here.run(1.0)
    assert end(alice) == (CloseReason.PROTOCOL, Retry.BACKOFF)


def test_an_answer_that_is_too_long_is_not_read() -> None:
    here = Universe()
    here.http["POST", LOGIN] = 200, {}, json.dumps({"fixedAdapter": "simulator:x", "more": "x" * 65_536}).encode()
    alice = here.citizen(f"signed-login:{LOGIN}")
    here.run(1.0)
    assert alice.asked(Fetch)[0].max_bytes == 65_536
    assert end(alice) == (CloseReason.PROTOCOL, Retry.BACKOFF)


@pytest.mark.parametrize("name", ["x" * 300 + ".eth", "a\r\nb.eth", "a\x9fb", "\ud800.eth", ""])
def test_a_realms_name_that_is_none_is_told_to_nobody(name: str) -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = about("simulator:plaza", configurations={"realmName": name})
    alice = here.citizen(gatekeeper=GATE)
    here.run(1.0)
    alice.call("enter_scene", "a", (0, 0))
    (asked,) = [fetch for fetch in alice.asked(Fetch) if fetch.method == "POST"]
    assert json.loads(dict(asked.headers)["x-identity-metadata"])["realmName"] == "main"


def test_an_island_service_that_says_more_than_the_driver_has_room_for() -> None:
    alice = settled(Universe())
    (link,) = alice.sockets
    alice.tell(PacketsDropped(link=link, count=7))
    (told,) = alice.take(LimitReached)
    assert (told.room, told.limit) == ("realm", "inbox_bytes")
    assert alice.session.state is RoomState.OPEN
    assert alice.session.counters["dropped.inbox_bytes"] == 7


def test_an_island_service_that_says_nothing() -> None:
    here = Universe()
    alice = here.citizen(reconnect=STEADY)
    here.run(0.015)
    here.down.add("archipelago")
    for socket in alice.asked(OpenSocket):
        alice.tell(SocketOpened(link=socket.link, place=here.place))
    here.archipelago.receive = lambda _inp, *, now: None  # type: ignore[method-assign]  # it is dumb
    here.run(70.0)
    assert end(alice) in [(CloseReason.TIMEOUT, Retry.BACKOFF), (CloseReason.REJECTED, Retry.BACKOFF)]


def test_a_server_that_asks_to_wait_for_ever_is_waited_for_an_hour() -> None:
    here = Universe()
    alice = in_a_world(here)
    here.http["POST", LOGIN] = said(429, {"retry-after": "9" * 18})
    here.rooms["world"].delete(now=here.clock.now)
    here.run(2.0)
    due = alice.session.deadline()
    assert due is not None
    assert 3_500.0 < due - here.clock.now <= 3_600.0


def test_a_stranger_among_links_is_counted_and_let_go() -> None:
    here = Universe()
    alice = settled(here)
    for number in (0, 1, 2, 3, 99):
        with_link = LinkRef(number, 77)
        if number in (1, 2):
            alice.tell(Fetched(link=with_link, status=200, headers=(), body=b"", url="", place=here.place))
        else:
            alice.tell(SocketClosed(link=with_link, reason=CloseReason.NETWORK))
    assert alice.session.counters["late"] == 5
    assert alice.session.state is RoomState.OPEN
