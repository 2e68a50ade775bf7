"""Who may come into a room, and what he and the others are told."""

from __future__ import annotations

import gzip
from urllib.parse import urlencode

import pytest
from rigs.rooms.house import KEY, OFFER, SERVER, UNIX, Rooms, join_target, part, sign, token

from dcl_comms_core import Limits, LocalProtocolError
from dcl_comms_core.codec import encode
from dcl_comms_core.inputs import LinkReconnecting, LinkRef, SendAcknowledged
from dcl_comms_core.proto import livekit
from dcl_comms_core.servers.livekit.settings import RoomSettings

ACTIVE, JOINED = livekit.ParticipantState.ACTIVE, livekit.ParticipantState.JOINED


def test_one_connection_is_answered_at_once():
    rig = Rooms()
    alice = rig.join()
    join, refresh, answer = alice.take()
    assert join.join is not None
    assert join.join.participant is not None
    assert join.join.participant.identity == "alice"
    assert join.join.participant.sid.startswith("PA_")
    assert join.join.participant.state is JOINED
    assert join.join.participant.joined_at == UNIX
    assert join.join.room is not None
    assert join.join.room.name == "plaza"
    assert join.join.room.sid.startswith("RM_")
    assert join.join.server_info is not None
    assert (join.join.server_info.protocol, join.join.server_info.version) == (17, "1.13.5")
    assert (join.join.ping_interval, join.join.ping_timeout, join.join.subscriber_primary) == (5, 15, False)
    assert refresh.refresh_token
    assert answer.answer is not None
    assert (answer.answer.type, answer.answer.id) == ("answer", 7)
    assert f"a=ice-ufrag:{alice.peer.name}" in answer.answer.sdp
    assert ("add_local", SERVER, "udp") in alice.peer.calls
    assert rig.server.rooms == {"plaza": ("alice",)}
    assert repr(rig.server) == "<RoomServer of 1 rooms>"


def test_who_knows_the_way_of_two_offers_after_the_join():
    rig = Rooms()
    alice = rig.join(two=True)
    assert alice.kinds() == ["join", "refresh_token", "answer"]


def test_others_are_told_once_he_is_in():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    bob = rig.join("bob")
    join = bob.take()[0].join
    assert join is not None
    assert [(one.identity, one.state) for one in join.other_participants] == [("alice", ACTIVE)]
    assert alice.updates() == []
    bob.arrive()
    assert [(one.identity, one.state) for one in alice.updates()] == [("bob", ACTIVE)]
    assert [(one.identity, one.state) for one in bob.updates()] == [("bob", ACTIVE)]
    assert rig.counters["joined"] == 2


def test_who_is_hidden_is_told_to_nobody():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    ghost = rig.join("ghost", hidden=True).arrive()
    assert alice.updates() == []
    ghost.say(leave=livekit.LeaveRequest())
    assert alice.updates() == []
    rig.join("ghost", hidden=True)
    join = rig.join("bob").take()[0].join
    assert join is not None
    assert [one.identity for one in join.other_participants] == ["alice"]
    assert join.room is not None
    assert join.room.num_participants == 2


def test_what_a_token_says_of_its_holder_is_told():
    rig = Rooms()
    claims = {"name": "Alice", "metadata": "m", "attributes": {"a": "1", "b": 2}}
    alice = rig.join(claims=claims, canSubscribe=False)
    info = alice.take()[0].join.participant  # type: ignore[union-attr]
    assert info is not None
    assert (info.name, info.metadata, info.attributes) == ("Alice", "m", {"a": "1"})
    may = info.permission
    assert may is not None
    assert (may.can_subscribe, may.can_publish, may.can_publish_data, may.can_update_metadata) == (
        False, False, True, True,
    )  # fmt: skip


@pytest.mark.parametrize("two", [False, True])
def test_a_request_brings_attributes_and_metadata(two: bool):
    rig = Rooms()
    written = part({"b": "2"})
    parameters = {"attributes": written} if two else {"participant_attributes": {"b": "2"}, "metadata": "mine"}
    alice = rig.join(two=two, parameters=parameters, claims={"attributes": {"a": "1"}, "metadata": "m"})
    info = alice.take()[0].join.participant  # type: ignore[union-attr]
    assert info is not None
    assert info.attributes == {"a": "1", "b": "2"}
    assert info.metadata == ("m" if two else "mine")


@pytest.mark.parametrize("written", ["A", "!", part("text"), part({"a": 1}), "\u00e9"])
def test_attributes_that_are_not_written_properly_are_none(written: str):
    rig = Rooms()
    alice = rig.join(two=True, parameters={"attributes": written})
    info = alice.take()[0].join.participant  # type: ignore[union-attr]
    assert info is not None
    assert info.attributes == {}


def test_who_may_not_change_himself_brings_nothing_of_his_own():
    rig = Rooms()
    parameters = {"attributes": part({"b": "2"})}
    text = token(canUpdateOwnMetadata=False)
    refusal, _ = rig.ask(f"/rtc?{urlencode({'access_token': text, **parameters})}")
    assert refusal is not None
    assert (refusal.status, refusal.body) == (401, b"permissions denied")
    alice = rig.join(canUpdateOwnMetadata=False, parameters={"metadata": "mine"})
    info = alice.take()[0].join.participant  # type: ignore[union-attr]
    assert info is not None
    assert info.metadata == ""


# --- refusals


def plain(text: str) -> str:
    return f"/rtc?{urlencode({'access_token': text})}"


WHAT = b"invalid authorization token"
REFUSED = [
    (plain(""), 401, b"no permissions to access the room"),
    ("/rtc", 401, b"no permissions to access the room"),
    (plain("a.b"), 401, WHAT),
    (plain("a.b.c"), 401, WHAT),
    (plain("\u00e9.b.c"), 401, WHAT),
    (plain(f"{part('text')}.{part({})}.{part('x')}"), 401, WHAT),
    (plain(sign({"iss": KEY}, header={"alg": "none"})), 401, WHAT),
    (plain(sign({"iss": 7})), 401, WHAT),
    (plain(sign({"iss": KEY, "exp": "soon"})), 401, WHAT),
    (plain(sign({"iss": KEY, "exp": True})), 401, WHAT),
    (plain("x" * 20_000), 401, WHAT),
    (plain(sign({"iss": "other"})), 401, b"invalid API key"),
    (plain(sign({"iss": KEY}, secret="guessed")), 401, b"invalid token, error: its signature is not of this key"),
    (plain(token(claims={"exp": UNIX - 61})), 401, b"invalid token, error: token is expired (exp)"),
    (plain(token(claims={"nbf": UNIX + 61})), 401, b"invalid token, error: token not valid yet (nbf)"),
    (plain(token(roomJoin=False)), 401, b"permissions denied"),
    (plain(sign({"iss": KEY, "video": 3})), 401, b"permissions denied"),
    (plain(token("")), 400, b"identity cannot be empty"),
    (plain(token(claims={"sub": None})), 400, b"identity cannot be empty"),
    (plain(token(room="")), 400, b"no room name"),
    (plain(token("i" * 257)), 400, b"identity length exceeds limits: max length 256"),
    (plain(token(room="r" * 257)), 400, b"no length exceeds limits: max length 256"),
    (f"/rtc/v1?access_token={token()}", 400, b"join_request is required"),
    (f"/rtc/v1?access_token={token()}&join_request=a", 400, b"cannot unmarshal wrapped join request"),
    (join_target(token(), wrapped=b"\xff"), 400, b"cannot unmarshal wrapped join request"),
    (f"/rtc?{'&'.join(f'a{n}=1' for n in range(70))}", 400, b"too many parameters"),
]


@pytest.mark.parametrize(("target", "status", "text"), REFUSED)
def test_who_is_refused_is_told_why_in_words_that_a_page_may_read(target: str, status: int, text: bytes):
    rig = Rooms()
    refusal, guest = rig.ask(target)
    assert refusal is not None
    assert (refusal.status, refusal.body) == (status, text)
    assert ("Access-Control-Allow-Origin", "*") in refusal.headers
    assert guest.told == []
    assert rig.counters[f"refused.{status}"] == 1
    assert rig.server.rooms == {}
    path, _, query = target.partition("?")
    assert rig.get(f"{path}/validate?{query}") == refusal


def test_a_wrong_clock_of_a_minute_is_forgiven():
    for claims in ({"exp": UNIX - 59}, {"nbf": UNIX + 59}, {"exp": None, "nbf": None}):
        assert Rooms().join(claims=claims).kinds()[0] == "join"


def test_a_name_in_a_path_that_is_not_there():
    rig = Rooms()
    for target in ("/", "/rtc2", f"/rtc/validate?access_token={token()}", "/settings/regions"):
        refusal, _ = rig.ask(target)
        assert refusal is not None
        assert refusal.status == 404


def test_a_token_may_stand_in_a_header_which_counts_more():
    rig = Rooms()
    refusal, guest = rig.ask("//rtc?access_token=bad", bearer=token())
    assert refusal is None
    assert guest.kinds() == ["join", "refresh_token"]
    assert rig.get("/rtc/v1/validate?join_request=", authorization=f"Bearer {token()}").status == 400
    assert rig.get("/rtc/validate", authorization=f"Basic {token()}").status == 401


def test_without_a_clock_no_token_can_be_judged():
    rig = Rooms(clock=False)
    with pytest.raises(LocalProtocolError, match="ClockSet"):
        rig.ask(plain(token()))


def request_of(**fields: object) -> bytes:
    offer = livekit.SessionDescription(type="offer", sdp=OFFER)
    return encode(livekit.JoinRequest(publisher_offer=offer, **fields))  # type: ignore[arg-type]


def test_a_request_may_be_packed():
    rig = Rooms()
    packed = livekit.WrappedJoinRequest(compression=livekit.Compression.GZIP, join_request=gzip.compress(request_of()))
    refusal, guest = rig.ask(join_target(token(), wrapped=encode(packed)))
    assert refusal is None
    assert guest.kinds() == ["join", "refresh_token", "answer"]


@pytest.mark.parametrize(
    "packed",
    [b"not packed", gzip.compress(request_of())[:-9], gzip.compress(bytes(5_000))],
    ids=["not packed", "cut", "long"],  # what is packed has the time in it
)
def test_one_that_can_not_be_unpacked_or_is_long_is_refused(packed: bytes):
    rig = Rooms(limits=Limits(server_signal_bytes=4_000))
    wrapped = livekit.WrappedJoinRequest(compression=livekit.Compression.GZIP, join_request=packed)
    refusal, _ = rig.ask(join_target(token(), wrapped=encode(wrapped)))
    assert refusal is not None
    assert refusal.status == 400


def test_a_protocol_that_is_no_number_is_none():
    rig = Rooms()
    for protocol in ("x", "-1", "1" * 30):
        assert rig.join(two=True, parameters={"protocol": protocol}).kinds()[0] == "join"


def test_a_room_that_is_full():
    rig = Rooms(settings=RoomSettings(max_participants=2))
    rig.enter("alice", "bob")
    refusal, _ = rig.ask(join_target(token("carol")))
    assert refusal is not None
    assert (refusal.status, refusal.body) == (500, b"connection closed by media")
    target = f"/rtc/validate?access_token={token('carol')}"
    assert rig.get(target).status == 200
    assert rig.join("bob").kinds()[0] == "join", "his place is his"


def test_a_token_says_what_its_room_is_like():
    rig = Rooms()
    config = {"roomConfig": {"maxParticipants": 1, "emptyTimeout": 5, "departureTimeout": 6}}
    alice = rig.join(claims=config)
    room = alice.take()[0].join.room  # type: ignore[union-attr]
    assert room is not None
    assert (room.max_participants, room.empty_timeout, room.departure_timeout) == (1, 5, 6)
    refusal, _ = rig.ask(join_target(token("bob")))
    assert refusal is not None
    for odd in (-1, True, "2", 10**9):
        room = rig.join(room=f"odd {odd}", claims={"roomConfig": {"maxParticipants": odd}}).take()[0].join.room  # type: ignore[union-attr]
        assert room is not None
        assert room.max_participants == 0


def test_limits_on_rooms_and_members():
    rig = Rooms(limits=Limits(server_rooms=1, room_members=1))
    rig.join("alice")
    refusal, _ = rig.ask(join_target(token("bob")))
    assert refusal is not None
    assert refusal.status == 500
    refusal, _ = rig.ask(join_target(token("bob", "another")))
    assert refusal is not None
    assert refusal.status == 503
    assert rig.join("alice").kinds()[0] == "join"


def test_who_says_too_much_of_himself_is_not_let_in():
    rig = Rooms()
    long = {"attributes": {"a": "x" * 70_000}}
    refusal, _ = rig.ask(join_target(token(claims={**long, "exp": None})))
    assert refusal is not None
    assert refusal.status == 401, "the token is too long"
    refusal, _ = rig.ask(join_target(token(), participant_attributes={"a": "x" * 70_000}))
    assert refusal is not None
    assert refusal.status == 500
    assert rig.server.rooms == {"plaza": ()}


def test_an_offer_that_can_not_be_taken_ends_the_join():
    rig = Rooms()
    rig.faults = {"accept_offer": RuntimeError("no")}
    alice = rig.join()
    assert alice.kinds() == ["join", "refresh_token", "leave"]
    assert alice.hung_up
    assert rig.server.rooms == {"plaza": ()}
    rig.faults = {}
    bad = livekit.SessionDescription(type="offer", sdp="v=0\r\nm=audio 9 X 0\r\n")
    bob = rig.join("bob", parameters={"publisher_offer": bad})
    assert bob.kinds() == ["join", "refresh_token", "leave"]


def test_each_socket_has_a_name_of_its_own():
    rig = Rooms()
    alice = rig.join()
    with pytest.raises(LocalProtocolError, match="LinkRef"):
        rig.server.upgrade(alice.link, join_target(token("bob")), {}, now=rig.now)


def test_what_a_server_does_not_take():
    rig = Rooms()
    rig.give(SendAcknowledged(link=LinkRef(1, 1), token=0))
    with pytest.raises(LocalProtocolError, match="LinkReconnecting"):
        rig.server.receive(LinkReconnecting(link=LinkRef(1, 1)), now=rig.now)


def test_the_same_identity_takes_over_and_others_are_told_the_new_session():
    rig = Rooms()
    first, bob = rig.enter("alice", "bob")
    again = rig.join("alice")
    assert first.leave_told().reason is livekit.DisconnectReason.DUPLICATE_IDENTITY
    assert first.leave_told().action is livekit.LeaveAction.DISCONNECT
    assert first.hung_up
    assert [(one.sid, one.state) for one in bob.updates()] == [(again.sid, JOINED)]
    first.cut()
    again.arrive()
    assert [(one.sid, one.state) for one in bob.updates()] == [(again.sid, ACTIVE)]
    assert sorted(rig.server.rooms["plaza"]) == ["alice", "bob"]


def test_the_same_identity_in_another_room_is_somebody_else():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    rig.enter("alice", room="street")
    assert alice.take() == []
    assert rig.server.rooms == {"plaza": ("alice",), "street": ("alice",)}


def test_other_requests():
    rig = Rooms()
    assert rig.get("/").body == b"OK"
    assert rig.get("/", "HEAD").status == 200
    assert rig.get("/else").status == 404
    assert rig.get("/rtc").status == 404
    assert rig.get("/rtc/v1?join_request=a").status == 400
    assert rig.get("/twirp/livekit.RoomService/ListRooms").status == 404
    assert rig.get(f"/rtc/validate?access_token={token()}").body == b"success"
    preflight = rig.get("/rtc/validate", "OPTIONS")
    assert preflight.status == 204
    assert ("Access-Control-Allow-Origin", "*") in preflight.headers


def test_a_guest_has_a_peer_of_his_own():
    rig = Rooms()
    alice, bob = rig.join("alice"), rig.join("bob")
    assert alice.peer is not bob.peer


def test_a_token_that_is_given_lets_in_however_much_somebody_says_of_himself():
    rig = Rooms()
    alice = rig.join("alice", parameters={"metadata": "m" * 50_000})
    given = next(one.refresh_token for one in alice.take() if one.refresh_token)
    assert len(given) < 1_000
    refusal, again = rig.ask(plain(given))
    assert refusal is None
    assert again.kinds()[0] == "join"
