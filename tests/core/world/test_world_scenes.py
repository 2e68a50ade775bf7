"""WorldSession: scenes' rooms beside the island's, what the application says in them, and who signs for them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from rigs.core.chains import NOW, identity, key
from rigs.core.room import livekit, wire
from rigs.core.world import GATE, LOGIN, REALM, STEADY, Citizen, Universe, about, said

from dcl_comms_core import (
    GATEKEEPER,
    AuthChain,
    Away,
    CancelFetch,
    ChallengeResponseMessage,
    ChatReceived,
    ClockSet,
    CloseReason,
    CommsError,
    ConnectionQuality,
    Fetch,
    Fetched,
    InvalidAuthChain,
    LinkFailed,
    LocalProtocolError,
    Movement,
    NotInARoom,
    OpenLink,
    OpenSocket,
    PacketRejected,
    PacketTooLarge,
    PeerId,
    PeerMoved,
    PermissionMissing,
    Place,
    ProfileAnnounced,
    ProfileReceived,
    QualityGiven,
    Reconnecting,
    Retry,
    RoomClosed,
    RoomOpened,
    RoomState,
    SceneMessageReceived,
    SendAcknowledged,
    SendData,
    SendFrame,
    ServerPacket,
    SignatureNeeded,
    SocketClosed,
    StayState,
    WarningCode,
    WorldClosed,
    WorldSession,
    decode,
    encode,
)
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.testing import MemorySource


def scene_of(here: Universe) -> Any:
    """A gatekeeper with a room for each scene."""

    def answer(request: Fetch) -> Any:
        metadata = json.loads(dict(request.headers)["x-identity-metadata"])
        adapter = here.mint("scene-" + metadata["sceneId"], here.signer(request))
        return 200, {}, json.dumps({"adapter": adapter}).encode()

    return answer


def settled(here: Universe, **options: Any) -> Citizen:
    here.http.setdefault(("POST", GATE), scene_of(here))
    citizen = here.citizen(**{"reconnect": STEADY, "gatekeeper": GATE, **options})
    here.run(4.0)
    assert citizen.session.state is RoomState.OPEN
    citizen.take()
    return citizen


def rooms(citizen: Citizen) -> list[tuple[type, str]]:
    return [(type(event), event.room) for event in citizen.take(RoomOpened, RoomClosed)]


def closed(citizen: Citizen) -> tuple[str, CloseReason, Retry]:
    (event,) = citizen.take(RoomClosed)
    return event.room, event.reason, event.retry


# --- in and out


def test_one_scene_after_another_the_new_one_first() -> None:
    here = Universe()
    alice = settled(here)
    alice.call("enter_scene", "a", (0, 0))
    here.run(1.0)
    asked = len(alice.asked(Fetch))
    alice.call("enter_scene", "a", (0, 1))
    here.run(1.0)
    assert rooms(alice) == [(RoomOpened, "scene")]
    assert len(alice.asked(Fetch)) == asked
    alice.call("enter_scene", "b", (5, 5))
    here.run(1.0)
    assert rooms(alice) == [(RoomOpened, "scene"), (RoomClosed, "scene")]
    assert alice.inside() == ["I1", "scene-b"]
    alice.call("leave_scene")
    here.run(1.0)
    assert rooms(alice) == [(RoomClosed, "scene")]
    alice.call("leave_scene")
    alice.call("enter_scene", "b", (5, 5))
    here.run(1.0)
    assert alice.inside() == ["I1", "scene-b"]
    alice.replays()


def test_the_worst_of_its_ways_is_a_worlds() -> None:
    here = Universe()
    alice = settled(here)
    alice.call("enter_scene", "a", (0, 0))
    here.run(1.0)
    world = alice.session
    assert world.quality is None
    island, scene = world.rooms.values()
    for room, quality, worst in (
        (scene, ConnectionQuality.GOOD, ConnectionQuality.GOOD),
        (island, ConnectionQuality.EXCELLENT, ConnectionQuality.GOOD),
        (island, ConnectionQuality.LOST, ConnectionQuality.LOST),
    ):
        room.receive(QualityGiven(link=room.link, quality=quality), now=here.clock.now)
        assert world.quality is worst


def test_of_several_scenes_in_a_row_the_newest_counts() -> None:
    here = Universe()
    alice = settled(here)
    for name in "abcde":
        alice.call("enter_scene", name, (0, 0))
        here.run(0.005)
    here.run(2.0)
    assert alice.inside() == ["I1", "scene-e"]
    assert [command.adapter.token.room for command in alice.asked(OpenLink)] == ["I1", "scene-e"]
    assert len(alice.asked(CancelFetch)) == 4


def test_a_scene_waits_for_the_realm_to_be_known() -> None:
    here = Universe()
    here.http["POST", GATE] = scene_of(here)
    alice = here.citizen(gatekeeper=GATE)
    alice.call("enter_scene", "a", (0, 0))
    assert [fetch.url for fetch in alice.asked(Fetch)] == [f"{REALM}/about"]
    here.run(0.5)
    assert alice.inside() == ["scene-a"]
    assert alice.session.state is RoomState.CONNECTING
    here.run(3.0)
    assert alice.inside() == ["I1", "scene-a"]


@pytest.mark.parametrize(
    ("more", "option", "place", "name", "url"),
    [
        ({}, None, Place.PUBLIC, "main", GATEKEEPER),
        ({"configurations": {"realmName": "hela"}}, None, Place.LOOPBACK, "hela", GATE),
        ({"configurations": {"realmName": ""}}, None, Place.LOOPBACK, "main", GATE),
        ({"configurations": {"realmName": "x.dcl.eth"}}, None, Place.PUBLIC, "x.dcl.eth", GATEKEEPER),
        ({"configurations": {"realmName": "x.dcl.eth"}}, "mine", Place.PRIVATE, "mine", GATE),
    ],
)
def test_what_the_gatekeeper_is_told(more: Any, option: Any, place: Place, name: str, url: str) -> None:
    here = Universe()
    here.place = place
    here.http["GET", f"{REALM}/about"] = about(f"signed-login:{LOGIN}", **more)
    here.http["POST", LOGIN] = here.login("world")
    alice = here.citizen(realm_name=option, is_guest=True)
    here.run(1.0)
    alice.call("enter_scene", "bafk", (-3, 4))
    here.run(0.5)
    *_, asked = alice.asked(Fetch)
    assert (asked.url, asked.method, asked.within) == (url, "POST", None)
    assert json.loads(dict(asked.headers)["x-identity-metadata"]) == {
        "intent": "dcl:explorer:comms-handshake",
        "signer": "dcl:explorer",
        "isGuest": True,
        "realm": {"serverName": name},
        "realmName": name,
        "sceneId": "bafk",
        "parcel": "-3,4",
    }


def test_a_scene_beside_a_room_that_was_named_directly() -> None:
    here = Universe()
    here.http["POST", GATEKEEPER] = scene_of(here)
    alice = here.citizen("simulator:plaza")
    alice.call("enter_scene", "a", (0, 0))
    here.run(1.0)
    assert alice.inside() == ["plaza", "scene-a"]


# --- why there is none


@pytest.mark.parametrize(
    ("answer", "reason", "retry"),
    [
        (said(403, error="User is banned from this scene"), CloseReason.BANNED, Retry.NEVER),
        (said(401, error="no access"), CloseReason.DENIED, Retry.NEVER),
        (said(adapter="offline:offline"), CloseReason.NOT_FOUND, Retry.NEVER),
        (said(adapter="archipelago:h"), CloseReason.NOT_FOUND, Retry.NEVER),
        (said(adapter="livekit:ws://[::1]:5?access_token=@"), CloseReason.FORBIDDEN, Retry.NEVER),
    ],
)
def test_a_scene_that_can_not_be_entered_ends_alone(answer: Any, reason: CloseReason, retry: Retry) -> None:
    here = Universe()
    status, headers, body = answer
    here.http["POST", GATE] = status, headers, body.replace(b"@", here.mint("x", "0x").rpartition("=")[2].encode())
    alice = settled(here)
    alice.call("enter_scene", "a", (0, 0))
    here.run(30.0)
    assert closed(alice) == ("scene", reason, retry)
    assert alice.session.state is RoomState.OPEN
    assert len(alice.asked(Fetch)) == 2
    here.http["POST", GATE] = scene_of(here)
    alice.call("enter_scene", "a", (0, 0))
    here.run(1.0)
    assert alice.inside() == ["I1", "scene-a"]
    alice.replays()


def test_who_may_not_enter_the_next_scene_is_not_kept_in_the_last() -> None:
    here = Universe()
    alice = settled(here)
    alice.call("enter_scene", "a", (0, 0))
    here.run(1.0)
    here.http["POST", GATE] = said(403, error="User is banned from this scene")
    alice.call("enter_scene", "b", (9, 9))
    here.run(5.0)
    assert alice.inside() == ["I1"]
    assert {event.reason for event in alice.take(RoomClosed)} == {CloseReason.BANNED, CloseReason.CLIENT}


def test_an_answer_that_comes_after_its_request_was_given_up() -> None:
    here = Universe()
    alice = settled(here)
    alice.call("enter_scene", "a", (0, 0))
    alice.call("enter_scene", "b", (0, 0))
    older = alice.asked(Fetch)[-2].link
    body = b'{"adapter": "simulator:wrong"}'
    alice.tell(Fetched(link=older, status=200, headers=(), body=body, url=GATE, place=Place.PUBLIC))
    here.run(1.0)
    assert alice.inside() == ["I1", "scene-b"]
    assert alice.session.counters["late"] == 1


def test_a_signature_that_comes_after_another_was_asked_for() -> None:
    here = Universe()
    alice = settled(here)
    alice.signs = False
    alice.call("enter_scene", "a", (0, 0))
    alice.call("enter_scene", "b", (0, 0))
    one, other = alice.take(SignatureNeeded)
    sign(alice, one)
    assert (alice.session.counters["late"], len(alice.asked(Fetch))) == (1, 1)
    sign(alice, other)
    here.run(1.0)
    assert alice.inside() == ["I1", "scene-b"]


def test_without_a_wallet_there_is_no_scene() -> None:
    here = Universe()
    nobody = here.citizen("simulator:plaza", wallet=False)
    here.run(1.0)
    nobody.take()
    nobody.call("enter_scene", "a", (0, 0))
    assert closed(nobody) == ("scene", CloseReason.NO_WALLET, Retry.NEVER)


def test_a_gatekeeper_that_is_down_is_asked_again_from_the_first_time_on() -> None:
    here = Universe()
    alice = settled(here)
    here.down.add("http")
    alice.call("enter_scene", "a", (0, 0))
    here.run(2.0)
    assert [event.room for event in alice.take(Reconnecting)] == ["scene", "scene"]
    here.down.clear()
    here.run(2.0)
    assert alice.inside() == ["I1", "scene-a"]
    here.down.add("http")
    here.rooms["scene-a"].delete(now=here.clock.now)
    here.run(60.0)
    ends = [event.reason for event in alice.take(RoomClosed)]
    assert ends == [CloseReason.ROOM_DELETED, CloseReason.UNREACHABLE]
    assert alice.session.state is RoomState.OPEN
    alice.replays()


def test_a_scene_that_is_lost_is_asked_for_anew_and_who_is_put_out_stays_out() -> None:
    here = Universe()
    alice = settled(here)
    alice.call("enter_scene", "a", (0, 0))
    here.run(1.0)
    here.rooms["scene-a"].delete(now=here.clock.now)
    here.run(2.0)
    assert alice.inside() == ["I1", "scene-a"]
    here.rooms["scene-a"].remove(alice.name, now=here.clock.now)
    here.run(30.0)
    assert alice.inside() == ["I1"]
    assert alice.take(RoomClosed)[-1].reason is CloseReason.REMOVED
    assert alice.session.state is RoomState.OPEN


def test_who_leaves_while_it_is_searched_for_is_not_taken_there() -> None:
    here = Universe()
    alice = settled(here)
    for seconds in (0.0, 0.005, 0.015, 0.03):
        alice.call("enter_scene", "a", (0, 0))
        here.run(seconds)
        alice.call("leave_scene")
        here.run(5.0)
        assert alice.inside() == ["I1"]


@pytest.mark.parametrize("ws_rooms", [False, True])
def test_a_scene_in_the_islands_own_room_is_not_entered(ws_rooms: bool) -> None:
    here = Universe(ws_rooms=ws_rooms)
    here.http["POST", GATE] = here.login("I1", key="adapter")
    alice = settled(here)
    alice.call("enter_scene", "a", (0, 0))
    # Three more searches, after pauses of 1, 2 and 4 seconds: the island may move on meanwhile.
    here.run(8.0)
    (end,) = alice.take(RoomClosed)
    assert (end.room, end.reason, end.retry) == ("scene", CloseReason.ROOM_TAKEN, Retry.BACKOFF)
    assert len(alice.asked(Fetch)) == 1 + 1 + 3
    assert len(alice.session.rooms) == 1
    assert alice.session.state is RoomState.OPEN
    assert alice.session.standing["scene"].stay is StayState.AWAY
    here.run(300.0)
    assert alice.take(RoomClosed) == []
    alice.replays()


# --- what is said


def test_what_is_said_goes_where_it_belongs() -> None:
    here = Universe()
    alice, bob = settled(here), settled(here, number=2)
    for citizen in (alice, bob):
        citizen.call("enter_scene", "a", (0, 0))
    here.run(4.0)
    bob.take()
    stamp = alice.session.chat("hello", now=here.clock.now)
    alice.session.chat("psst", to=[PeerId(bob.name), PeerId("0xabsent")])
    alice.session.scene_message("a", b"\x01x")
    alice.session.emote("wave")
    alice.call("move", (1.0, 2.0, 3.0))
    here.run(1.0)
    heard = [event.text for event in bob.take(ChatReceived)]
    assert heard == ["hello", "psst"]
    assert stamp > 40_000.0
    alice.session.scene_message("a", b"\x01y")
    alice.call("move", Movement(position_x=5.0, timestamp=900.0))
    here.run(0.5)
    events = bob.take(SceneMessageReceived, PeerMoved)
    assert [event.room for event in events if isinstance(event, SceneMessageReceived)] == ["scene"]
    assert (5.0, 0.0, 0.0) in [event.position for event in events if isinstance(event, PeerMoved)]
    assert alice.session.position == (5.0, 0.0, 0.0)
    assert here.archipelago.islands.members("I1")[alice.name] == (5.0, 0.0, 0.0)
    assert set(alice.session.rooms_of(PeerId(bob.name))) == {"island", "scene"}
    assert bob.session.traffic(PeerId(alice.name)).received > 0
    assert alice.session.traffic(PeerId("0xabsent")) is None
    alice.replays()


def test_where_we_were_before_a_room_was_open_is_told_there() -> None:
    here = Universe()
    alice, bob = settled(here), here.visitor(number=2)
    bob.session.open(now=here.clock.now)
    bob.call("move", (7.0, 0.0, 0.0))
    bob.call("announce_profile", 3)
    bob.call("offer_profile", 4, "{}")
    here.run(6.0)
    assert {event.position for event in alice.take(PeerMoved)} == {(7.0, 0.0, 0.0)}
    bob.call("announce_profile", 5)
    here.run(0.5)
    assert 5 in {event.version for event in alice.take(ProfileAnnounced)}
    assert alice.session.request_profile(PeerId(bob.name), now=here.clock.now)
    here.run(0.5)
    assert [event.serialized for event in alice.take(ProfileReceived)] == ["{}"]
    assert alice.session.profile(PeerId(bob.name)).serialized == "{}"
    assert alice.session.profile(PeerId("0xabsent")) is None
    with pytest.raises(LocalProtocolError, match="no room has this peer"):
        alice.session.request_profile(PeerId("0xabsent"))
    bob.replays()


def test_a_profile_is_announced_and_offered_in_every_room() -> None:
    here = Universe()
    alice, bob = settled(here, profile_version=1), settled(here, number=2)
    alice.call("offer_profile", 2, '{"version": 2}')
    for citizen in (alice, bob):
        citizen.call("enter_scene", "a", (0, 0))
    here.run(5.0)
    asked = {
        (command.link.link, decoded.profile_version)
        for command in alice.asked(SendData)
        if (decoded := announced(command.data)) is not None
    }
    assert {version for _, version in asked} >= {1, 2}
    assert len({link for link, version in asked if version == 2}) == 2
    with pytest.raises(PacketTooLarge):
        alice.session.offer_profile(3, "x" * 70_000)
    with pytest.raises(LocalProtocolError, match="profile version"):
        alice.session.announce_profile(-1)


def announced(data: bytes) -> Any:
    return decode(data).profile_version


def test_a_token_that_forbids_data() -> None:
    here = Universe()
    forbids = livekit(now=here.unix, can_publish_data=False)
    nobody = here.citizen(forbids, wallet=False)
    nobody.call("move", (1.0, 0.0, 0.0))
    here.run(1.0)
    assert nobody.session.counters["skipped"] == 1
    with pytest.raises(PermissionMissing):
        nobody.session.move((1.0, 0.0, 0.0))
    with pytest.raises(PermissionMissing):
        nobody.session.chat("x")


def test_misuse_of_verbs() -> None:
    here = Universe()
    alice = settled(here)
    for call in (
        lambda: alice.session.move((float("nan"), 0.0, 0.0)),
        lambda: alice.session.move(Movement(position_x=float("inf"))),
        lambda: alice.session.set_position((0.0, 1e39, 0.0)),
        lambda: alice.session.scene_message("a", b""),
        lambda: alice.session.send_bytes("text"),
        lambda: alice.session.subscribe("TR_nobody") or alice.session.receive_data("a", b"", link=1, now=float("nan")),
    ):
        with pytest.raises(CommsError):
            call()
    alice.session.move((0.0, 0.0, 0.0), to=PeerId("0xabsent"))
    with pytest.raises(NotInARoom, match="no room is open"):
        WorldSession("simulator:x").subscribe("TR")


def test_of_several_addressees_some_may_be_beyond_reach() -> None:
    here = Universe()
    alice, bob = settled(here), settled(here, number=2)
    alice.call("chat", "hello", to=[PeerId(bob.name), PeerId("\ud800")])
    assert [event.code for event in alice.take(WarningEvent)] == [WarningCode.SEND_FAILED]
    here.run(1.0)
    assert [event.text for event in bob.take(ChatReceived)] == ["hello"]
    alice.session.check_sending()
    WorldSession("simulator:x").check_sending()
    with pytest.raises(NotInARoom, match="the world is new"):
        WorldSession("simulator:x", away=Away.RAISE).check_sending()


def test_the_clock_may_be_set_again_at_any_time() -> None:
    here = Universe()
    alice = settled(here)
    alice.tell(ClockSet(unix_offset=NOW + 3600.0))
    here.run(1.0)
    assert alice.session.state is RoomState.OPEN
    with pytest.raises(LocalProtocolError, match="finite"):
        alice.session.receive(ClockSet(unix_offset=float("nan")), now=0.0)


def test_data_in_its_fast_form() -> None:
    here = Universe()
    alice = settled(here)
    (link,) = alice.session.rooms
    alice.session.receive_data("bob", wire(), link=link, now=here.clock.now)
    alice.session.receive_data("bob", b"", link=99, now=here.clock.now)
    alice.session.receive_acknowledged([1, 2], link=99, now=here.clock.now)
    assert alice.session.counters["late"] == 2
    alice.session.chat("x", now=here.clock.now)
    (command,) = [command for command in alice.session.commands() if isinstance(command, SendData)]
    assert (alice.session.unacknowledged, alice.session.waiting) == (1, 0)
    alice.session.receive_acknowledged([command.token], link=link, now=here.clock.now)
    assert (alice.session.unacknowledged, alice.session.in_flight_bytes, alice.session.waiting_bytes) == (0, 0, 0)
    assert alice.session.has_credit()
    assert alice.session.credits > 1
    assert alice.session.sending
    alice.session.receive(SendAcknowledged(link=command.link, token=77), now=here.clock.now)
    assert alice.session.counters["sent"] >= 1
    alice.session.events()
    alice.replays()


def test_another_movement_source() -> None:
    here = Universe()
    alice = here.citizen("simulator:plaza", wallet=False)
    here.run(1.0)
    alice.session.attach(MemorySource, now=here.clock.now)
    (opened,) = alice.session.commands()
    assert isinstance(opened, OpenLink)
    alice.session.receive(LinkFailed(link=opened.link, reason=CloseReason.NETWORK), now=here.clock.now)
    assert [event.room for event in alice.take(RoomClosed)] == ["movement"]
    assert alice.session.state is RoomState.OPEN
    alice.call("close")


# --- signatures


def needed(citizen: Citizen) -> Any:
    (event,) = citizen.take(SignatureNeeded)
    return event


def sign(citizen: Citizen, event: Any, who: Any = None) -> None:
    chain = (who or citizen.who).sign(event.payload)
    citizen.call("provide_signature", event.request, chain)


@pytest.mark.parametrize("target", [REALM, f"signed-login:{LOGIN}"])
def test_who_signs_may_be_slow(target: str) -> None:
    here = Universe()
    here.http["POST", LOGIN] = here.login("world")
    alice = here.visitor(target)
    alice.signs = False
    alice.call("open")
    here.run(40.0)
    event = needed(alice)
    assert (event.room, event.request) == ("realm" if target == REALM else "island", 1)
    sign(alice, event)
    here.run(5.0)
    assert alice.session.state is RoomState.OPEN
    sign(alice, event)
    assert alice.session.counters["late"] == 1
    alice.call("provide_signature", 77, alice.who.sign("x"))  # type: ignore[union-attr]  # it has one
    alice.call("refuse_signature", 77)
    alice.call("refuse_signature", event.request)
    assert alice.session.counters["late"] == 4
    assert alice.session.state is RoomState.OPEN
    alice.replays()


def test_who_signs_too_late() -> None:
    here = Universe()
    alice = here.visitor(f"signed-login:{LOGIN}")
    alice.signs = False
    alice.call("open")
    here.run(46.0)
    event, last = alice.take()
    assert (last.reason, last.retry) == (CloseReason.NOT_SIGNED, Retry.FRESH_CREDENTIALS)
    sign(alice, event)
    assert alice.session.counters["late"] == 1


def test_what_is_wrong_with_a_signature() -> None:
    here = Universe()
    here.http["POST", LOGIN] = here.login("world")
    alice = here.visitor(f"signed-login:{LOGIN}")
    alice.signs = False
    alice.call("open")
    event = needed(alice)
    with pytest.raises(LocalProtocolError, match="takes an AuthChain, not str"):
        alice.session.provide_signature(event.request, "chain")
    with pytest.raises(LocalProtocolError, match="signs something else"):
        alice.session.provide_signature(event.request, identity().sign("dcl-something"))
    with pytest.raises(InvalidAuthChain):
        alice.session.provide_signature(event.request, identity(expires=NOW - 1.0).sign(event.payload))
    assert alice.asked(Fetch) == []
    sign(alice, event)
    here.run(1.0)
    assert alice.session.state is RoomState.OPEN


@pytest.mark.parametrize("target", [REALM, f"signed-login:{LOGIN}", "ws-room:realm.example/rooms/x"])
def test_who_refuses_to_sign_is_out_for_good(target: str) -> None:
    here = Universe()
    alice = here.visitor(target, reconnect=STEADY)
    alice.signs = False
    alice.call("open")
    here.run(0.5)
    alice.call("refuse_signature", needed(alice).request, "not today")
    here.run(30.0)
    last = alice.take()[-1]
    assert (type(last), last.reason, last.retry, last.detail) == (
        WorldClosed,
        CloseReason.NOT_SIGNED,
        Retry.NEVER,
        "not today",
    )
    alice.replays()


@pytest.mark.parametrize("later", [False, True])
def test_who_refuses_on_the_way_back_is_out_too(later: bool) -> None:
    here = Universe()
    alice = settled(here)
    alice.signs = False
    if later:
        here.rooms["I1"].delete(now=here.clock.now)
    else:
        here.cut(alice)
    here.run(2.0)
    alice.call("refuse_signature", needed(alice).request)
    here.run(30.0)
    last = alice.take()[-1]
    assert (type(last), last.reason, last.retry) == (WorldClosed, CloseReason.NOT_SIGNED, Retry.NEVER)


@pytest.mark.parametrize("ws_room", [False, True])
def test_who_refuses_to_sign_for_a_scene_is_out_of_that_alone(ws_room: bool) -> None:
    here = Universe()
    here.http["POST", GATE] = said(adapter="ws-room:realm.example/rooms/scene")
    alice = settled(here)
    alice.signs = False
    alice.call("enter_scene", "a", (0, 0))
    event = needed(alice)
    if ws_room:
        sign(alice, event)
        here.run(0.1)
        event = needed(alice)
    alice.call("refuse_signature", event.request)
    here.run(20.0)
    room, reason, _ = closed(alice)
    assert (room, reason) == ("scene", CloseReason.NOT_SIGNED)
    assert alice.session.state is RoomState.OPEN
    assert len(alice.asked(Fetch)) == 1 + ws_room
    alice.replays()


def test_another_wallet_may_sign_and_is_who_we_are() -> None:
    here = Universe()
    alice = here.visitor()
    alice.who = identity(root=key(5))
    alice.name = alice.who.address.lower()
    alice.call("open")
    here.run(4.0)
    assert alice.session.identity == PeerId(alice.name)


def test_a_challenge_that_is_none() -> None:
    here = Universe()
    alice = here.citizen(reconnect=STEADY)
    take = here.archipelago.commands
    response = ChallengeResponseMessage(challenge_to_sign="post:/worlds/x/comms:1:{}")
    bad = encode(ServerPacket(challenge_response=response))
    here.archipelago.commands = lambda: [  # type: ignore[method-assign]  # a bad one
        replace(command, data=bad) if isinstance(command, SendFrame) else command for command in take()
    ]
    here.run(5.0)
    last = alice.take()[-1]
    assert (type(last), last.reason) == (WorldClosed, CloseReason.SIGNING_REFUSED)
    assert len(alice.asked(OpenSocket)) == 1


def test_no_chain_is_shown() -> None:
    here = Universe()
    alice = settled(here)
    alice.call("enter_scene", "a", (0, 0))
    here.run(2.0)
    chain = alice.who.sign("x") if alice.who else AuthChain(())
    texts = [repr(thing) for thing in (alice.session, *alice.commands, *alice.events)]
    assert not any(chain.links[1].signature in text for text in texts)


@pytest.mark.parametrize("then", ["receive", "handle_timeout"])
def test_what_came_first_is_told_first_however_late_it_is_taken(then: str) -> None:
    here = Universe()
    alice = settled(here)
    # Without the journal, which takes everything after each call.
    session = alice.session.session
    (link,) = session.rooms
    (socket,) = alice.sockets
    now = here.clock.now
    gone = SocketClosed(link=socket, reason=CloseReason.NETWORK)
    if then == "handle_timeout":
        session.receive(gone, now=now)
        session.events()
        now = session.deadline()
    session.receive_data("bob", b"\xff", link=link, now=now)
    if then == "receive":
        session.receive(gone, now=now)
        kinds = [type(event) for event in session.events()]
        assert kinds == [PacketRejected, Reconnecting]
    else:
        session.handle_timeout(now)
        assert [type(event) for event in session.events()] == [PacketRejected]
        assert [type(command) for command in session.commands()] == [OpenSocket]


@pytest.mark.parametrize(
    ("scene_id", "parcel"),
    [("", (0, 0)), (5, (0, 0)), ("x", (0,)), ("x", "00"), ("x", None), ("x", (0.5, 0)), ("x", 5), (None, (0, 0))],
)
def test_what_is_no_scene(scene_id: Any, parcel: Any) -> None:
    here = Universe()
    alice = settled(here)
    with pytest.raises(LocalProtocolError, match="a scene is"):
        alice.call("enter_scene", scene_id, parcel)
    assert alice.session.standing["scene"].stay is StayState.AWAY
