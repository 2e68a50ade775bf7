"""The way into a LiveKit room, and out of it, over its own signalling."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rigs.core.canary import assert_no_secret
from rigs.core.room import livekit as adapter_of
from rigs.core.tokens import make_token
from rigs.signals.session import INFO, LINK, SignalRig, TwoRig, info, packet, trickle

from dcl_comms_core import Limits
from dcl_comms_core.adapters.url_guard import Place
from dcl_comms_core.codec import decode_message
from dcl_comms_core.commands import (
    CloseLink,
    ClosePort,
    CloseSocket,
    Fetch,
    OpenLink,
    OpenSocket,
    SetAttributes,
    SubscribeTrack,
)
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import (
    CommandCompleted,
    CommandFailed,
    Fetched,
    FetchFailed,
    FrameReceived,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkReconnecting,
    LinkRef,
    PacketsDropped,
    ParticipantJoined,
    SendAcknowledged,
    SendsAcknowledged,
    SocketClosed,
    TokenRefreshed,
    TrackAppeared,
    TrackFailed,
)
from dcl_comms_core.livekit.arrivals import Arrived
from dcl_comms_core.proto import livekit
from dcl_comms_core.states import CloseReason, Timer
from dcl_comms_core.states.livekit import SIGNAL_TRANSITIONS, SIGNAL_WAITS, SignalState

S = SignalState


def parameters(command: OpenSocket) -> tuple[str, dict[str, str]]:
    parts = urlsplit(command.url)
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


def request(command: OpenSocket) -> livekit.JoinRequest:
    path, query = parameters(command)
    assert path == "/rtc/v1"
    wrapped = decode_message(livekit.WrappedJoinRequest, base64.urlsafe_b64decode(query["join_request"]))
    return decode_message(livekit.JoinRequest, wrapped.join_request)


# --- one connection


def test_with_one_connection_the_offer_is_in_the_url() -> None:
    rig = SignalRig().begin()
    assert rig.state is S.DIALING
    (command,) = rig.take(OpenSocket)
    asked = request(command)
    assert asked.publisher_offer is not None
    assert (asked.publisher_offer.type, asked.publisher_offer.id) == ("offer", 1)
    assert asked.client_info is not None
    assert asked.client_info.protocol == 16
    assert parameters(command)[1]["access_token"] == rig.secret
    assert not asked.reconnect


def test_the_room_is_open_once_both_channels_are() -> None:
    rig = SignalRig().joined(info("a")).answer().ports()
    assert rig.state is S.CONNECTING
    rig.happen(*rig.UP[:-1])
    assert rig.state is S.CONNECTING
    rig.happen(("open", 5, "_data_track"))
    assert rig.state is S.CONNECTING, "a channel of others is none of ours"
    rig.happen(rig.UP[-1])
    assert rig.state is S.OPEN
    (opened,) = rig.news
    assert isinstance(opened, LinkOpened)
    assert (opened.identity, opened.room, opened.sid, opened.metadata) == ("me", "I1", "RM_1", "m")
    assert [one.identity for one in opened.participants] == ["a"]
    assert opened.permissions is None


def test_join_without_a_room_is_in_a_room_without_a_name() -> None:
    rig = SignalRig().opened(room=None)
    assert (rig.news[0].room, rig.news[0].sid) == ("", "")


def test_candidates_come_after_the_answer_and_ports_are_asked_for_then() -> None:
    rig = SignalRig().joined()
    rig.say(answer=livekit.SessionDescription(type="answer", sdp="v=0", id=9))
    assert ("accept_answer", "v=0") not in rig.peer.calls, "the answer to another offer"
    rig.answer().ports()
    names = [name for name, *_ in rig.peer.calls]
    assert names.index("accept_answer") < names.index("add_local") < names.index("add_remote")
    rig.answer()
    assert names.count("accept_answer") == 1, "nothing is unanswered"


def test_what_comes_before_the_room_is_open_is_told_after_it() -> None:
    token = make_token(room="other")
    rig = SignalRig().joined(info("a")).answer().ports()
    rig.happen(("ice-completed",), ("open", 0, "_reliable"))
    rig.message(packet(b"1", sequence=1))
    track = livekit.TrackInfo(sid="TR", type=livekit.TrackType.AUDIO)
    rig.update(info("b", tracks=[track])).update(info("a", state=livekit.ParticipantState.DISCONNECTED))
    rig.say(speakers_changed=livekit.SpeakersChanged(speakers=[livekit.SpeakerInfo(sid="PA_b", active=True)]))
    rig.say(refresh_token=token)
    assert rig.news == []
    rig.happen(("open", 1, "_lossy"))
    assert [type(one).__name__ for one in rig.news] == [
        "LinkOpened", "TrackAppeared", "SpeakersHeard", "TokenRefreshed", "Arrived",
    ]  # fmt: skip
    assert [one.identity for one in rig.news[0].participants] == ["b"]
    assert rig.told(ParticipantJoined) == []
    assert rig.told(TokenRefreshed)[0].token.reveal() == token
    assert rig.told(Arrived) == [Arrived("a", b"1", True, "")]


def test_early_packets_are_bounded_and_those_let_go_are_counted() -> None:
    rig = SignalRig(limits=Limits(early_bytes=400)).joined().answer().ports()
    rig.happen(("ice-completed",), ("open", 0, "_reliable"))
    for number in range(1, 6):
        rig.message(packet(sequence=number))
    rig.message(b"\xff").message(b"")
    rig.happen(("open", 1, "_lossy"))
    assert len(rig.told(Arrived)) == 2
    assert rig.told(PacketsDropped) == [PacketsDropped(link=LINK, count=3)]


# --- two connections


def test_a_server_without_that_path_is_joined_with_two_connections() -> None:
    rig = TwoRig().begin().hang_up(status=404)
    assert rig.state is S.DIALING
    path, query = parameters(rig.take(OpenSocket)[-1])
    assert path == "/rtc"
    assert query == {"access_token": rig.secret, "auto_subscribe": "0", "protocol": "16"}
    rig.connect().join(subscriber_primary=True)
    (asked,) = rig.requests()
    assert asked.offer is not None
    assert asked.offer.sdp


def test_of_two_both_are_waited_for() -> None:
    rig = TwoRig().joined().answer().ports()
    rig.happen(*rig.UP)
    assert rig.state is S.CONNECTING, "the server's offer is still to come"
    rig.offered(7)
    (asked,) = [one for one in rig.requests() if one.answer is not None]
    assert asked.answer == livekit.SessionDescription(type="answer", sdp="v=0 answer", id=7)
    rig.say(**trickle(target=livekit.SignalTarget.SUBSCRIBER)).ports()
    assert rig.state is S.CONNECTING
    rig.happen(*rig.IN, peer=rig.into)
    assert rig.state is S.OPEN


def test_who_may_not_receive_has_one_of_the_two() -> None:
    rig = TwoRig().joined(subscriber_primary=False).answer().ports()
    assert rig.happen(*rig.UP).state is S.OPEN


def test_packets_come_by_the_servers_channels_and_not_by_that_of_data_tracks() -> None:
    rig = TwoRig().opened()
    for channel in range(3):
        rig.happen(("data", channel, packet(b"%d" % channel)), peer=rig.into)
    assert [one.data for one in rig.told(Arrived)] == [b"0", b"1"]


def test_with_one_connection_an_offer_is_ignored() -> None:
    rig = SignalRig().opened()
    rig.say(offer=livekit.SessionDescription(type="offer", sdp="v=0"))
    assert len(rig.peers) == 1
    assert rig.requests() == []


def test_an_offer_that_cant_be_taken_ends_it() -> None:
    rig = TwoRig().joined()
    rig.faults = {"accept_offer": RuntimeError("no")}
    rig.offered()
    assert rig.told(LinkFailed)[0].reason is CloseReason.UNREACHABLE


# --- refusals


def refused(status: int, answer: Any) -> LinkFailed:
    rig = SignalRig().begin().hang_up(status=status)
    assert rig.state is S.ASKING
    (fetch,) = rig.take(Fetch)
    assert fetch.url.startswith("https://comms.example.com/rtc/validate?access_token=")
    rig.give(FetchFailed(link=LinkRef(99, 1), reason=CloseReason.TIMEOUT))
    assert rig.state is S.ASKING, "the answer to another question"
    rig.give(answer(fetch.link, rig.secret))
    assert rig.state is S.CLOSED
    (news,) = rig.news
    assert isinstance(news, LinkFailed)
    assert_no_secret(rig.secret, news, repr(rig.commands))
    return news


def says(status: int, text: str) -> Any:
    return lambda link, token: Fetched(
        link=link, status=status, headers=(), body=text.format(token=token).encode(), url="", place=Place.PUBLIC
    )


R = CloseReason


@pytest.mark.parametrize(
    ("status", "text", "reason", "words"),
    [
        (401, "invalid authorization token", R.AUTHENTICATION, "invalid authorization token"),
        (401, "invalid token: {token}, error: go-jose: token is expired (exp)", R.TOKEN_EXPIRED, "expired"),
        (401, "invalid token: {token}, error: token not valid yet (nbf)", R.TOKEN_NOT_YET_VALID, "not valid yet"),
        (401, "invalid token: {token}, error: token is not valid yet", R.TOKEN_NOT_YET_VALID, "not valid yet"),
        (401, "invalid API key: k", R.AUTHENTICATION, "API key"),
        (401, "no permissions to access the room", R.AUTHENTICATION, "no permissions"),
        (401, "permissions denied", R.PERMISSION, "denied"),
        (403, "", R.PERMISSION, "HTTP 403"),
        (400, "identity cannot be empty", R.BAD_REQUEST, "identity cannot be empty"),
        (429, "", R.THROTTLED, "HTTP 429"),
        (500, "success", R.UNREACHABLE, "max_participants"),
        (503, "node has exceeded its configured limit", R.UNREACHABLE, "configured limit"),
        (302, "", R.UNREACHABLE, "elsewhere"),
    ],
)
def test_why_a_server_refuses(status: int, text: str, reason: CloseReason, words: str) -> None:
    news = refused(status, says(status, text))
    assert news.reason is reason
    assert words in news.detail


def test_what_is_let_in_by_the_question_says_nothing_of_the_door() -> None:
    assert refused(503, says(200, "success")).detail == "HTTP 503"


def test_a_question_without_an_answer_leaves_the_status() -> None:
    news = refused(401, lambda link, _: FetchFailed(link=link, reason=CloseReason.TIMEOUT))
    assert (news.reason, news.detail) == (CloseReason.AUTHENTICATION, "HTTP 401")


def test_where_there_is_no_room_both_ways_are_tried_and_the_words_are_told() -> None:
    rig = SignalRig().begin().hang_up(status=404).hang_up(status=404)
    (fetch,) = rig.take(Fetch)
    rig.give(says(404, "requested room does not exist")(fetch.link, ""))
    assert rig.told(LinkFailed) == [
        LinkFailed(link=LINK, reason=CloseReason.NOT_FOUND, detail="HTTP 404: requested room does not exist")
    ]


@pytest.mark.parametrize("joining", [False, True])
def test_a_socket_that_is_lost_on_the_way_in_is_told(joining: bool) -> None:
    rig = SignalRig().begin()
    if joining:
        rig.connect()
    rig.hang_up(reason=CloseReason.TLS, detail="no certificate")
    assert rig.news == [LinkFailed(link=LINK, reason=CloseReason.TLS, detail="no certificate")]


def test_a_server_that_lets_us_in_and_says_nothing_more_of_us_is_wrong() -> None:
    rig = SignalRig().joined(participant=livekit.ParticipantInfo(sid="PA_x"))
    assert rig.told(LinkFailed)[0].reason is CloseReason.PROTOCOL
    rig = SignalRig().joined(participant=None)
    assert rig.told(LinkFailed)[0].reason is CloseReason.PROTOCOL


def test_a_server_that_is_silent_after_the_socket_opened_is_given_up() -> None:
    rig = SignalRig().begin().connect().pass_time(14.0)
    assert [request.ping_req is not None for request in rig.requests()] == [True, True]
    rig.pass_time(1.0)
    assert rig.told(LinkFailed)[0].reason is CloseReason.NETWORK
    assert "15 s" in rig.told(LinkFailed)[0].detail


def test_nothing_is_read_before_we_are_in() -> None:
    rig = SignalRig().begin().connect()
    rig.update(info("a")).say(offer=livekit.SessionDescription(sdp="v=0")).answer()
    assert [name for name, *_ in rig.peer.calls] == ["offer"]
    assert rig.news == []


def test_a_second_join_is_late_news() -> None:
    rig = SignalRig().opened()
    assert rig.join(participant=livekit.ParticipantInfo(identity="other")).state is S.OPEN


# --- elsewhere


def test_a_server_may_send_us_elsewhere_once() -> None:
    rig = SignalRig().begin().connect(Place.PUBLIC)
    rig.join(alternative_url="wss://other.example.com")
    assert rig.state is S.DIALING
    command = rig.take(OpenSocket)[-1]
    assert command.url.startswith("wss://other.example.com/rtc/v1?")
    assert command.within is Place.PUBLIC
    rig.connect().join(alternative_url="wss://third.example.com")
    assert rig.state is S.CONNECTING


def test_elsewhere_has_to_be_a_url() -> None:
    assert SignalRig().joined(alternative_url="ftp://x").state is S.CONNECTING


# --- where the room is now


def regions(*urls: str) -> livekit.RegionSettings:
    return livekit.RegionSettings(regions=[livekit.RegionInfo(region="r", url=url) for url in urls])


def told_elsewhere(*urls: str, **fields: Any) -> SignalRig:
    leave = {"reason": livekit.DisconnectReason.SERVER_SHUTDOWN, "action": livekit.LeaveAction.RECONNECT, **fields}
    return SignalRig().opened().say(leave=livekit.LeaveRequest(regions=regions(*urls), **leave))


def dialed(rig: SignalRig) -> tuple[str, Place | None]:
    command = rig.take(OpenSocket)[-1]
    return command.url.partition("?")[0], command.within


def test_who_is_sent_elsewhere_joins_there_and_else_where_he_was() -> None:
    rig = told_elsewhere("ftp://x", "https://one.example.com", "wss://two.example.com/", "wss://three.example.com")
    assert rig.told(LinkClosed)[0].reason is CloseReason.NETWORK
    again = SignalRig(elsewhere=rig.session.elsewhere).begin()
    assert dialed(again) == ("wss://one.example.com/rtc/v1", Place.PRIVATE)
    again.hang_up(status=404)
    assert dialed(again) == ("wss://one.example.com/rtc", Place.PRIVATE)
    again.hang_up(status=503)
    assert dialed(again) == ("wss://two.example.com/rtc/v1", Place.PRIVATE)
    again.hang_up(reason=CloseReason.FORBIDDEN)
    home, within = dialed(again)
    assert home.endswith("/rtc/v1")
    assert (home, within) == dialed(SignalRig().begin())
    again.hang_up(reason=CloseReason.UNREACHABLE)
    assert again.told(LinkFailed)[0].reason is CloseReason.UNREACHABLE


def test_elsewhere_is_said_by_a_server_of_its_own_and_by_one_that_wants_us_back() -> None:
    there = told_elsewhere("wss://one.example.com").session.elsewhere
    assert there is not None
    assert dialed(SignalRig(elsewhere=there._replace(server="wss://other.example.com")).begin())[1] is None
    for action in (livekit.LeaveAction.DISCONNECT, livekit.LeaveAction.RESUME):
        assert told_elsewhere("wss://one.example.com", action=action).session.elsewhere is None
    no_regions = SignalRig().opened().say(leave=livekit.LeaveRequest(action=livekit.LeaveAction.RECONNECT))
    assert no_regions.session.elsewhere is None


# --- ICE


def test_without_datagrams_it_ends_in_ice_seconds_and_says_so() -> None:
    rig = SignalRig().joined().answer().ports().pass_time(9.9)
    assert rig.state is S.CONNECTING
    rig.pass_time(0.1)
    assert rig.session.failed_at_ice
    assert rig.told(LinkFailed)[0].reason is CloseReason.UNREACHABLE
    assert rig.requests()[-1].leave is not None, "the server is told, so that no ghost stays"


def test_without_channels_it_is_not_for_datagrams() -> None:
    rig = SignalRig().joined().answer().ports().pass_time(9.0).happen(("ice-completed",))
    rig.say(pong_resp=livekit.Pong()).pass_time(9.9)
    assert rig.state is S.CONNECTING
    rig.happen(("ice-disconnected",)).pass_time(0.1)
    assert not rig.session.failed_at_ice
    assert rig.told(LinkFailed) == [
        LinkFailed(link=LINK, reason=CloseReason.UNREACHABLE, detail="the server opened no channels")
    ]


def test_before_any_answer_no_datagram_can_go() -> None:
    rig = TwoRig().joined(subscriber_primary=True).pass_time(10.0)
    assert rig.session.failed_at_ice


# --- packets


def test_packets_go_out_numbered_and_are_acknowledged_when_the_server_has_them() -> None:
    rig = SignalRig().opened()
    rig.peer.room = 100_000
    rig.send(1, b"a", topic="t").send(2, b"b", reliable=False, to=("x",)).send(3, b"c")
    sent = [(channel, decode_message(livekit.DataPacket, data)) for channel, data in rig.peer.sent]
    assert [(channel, one.sequence, one.user and one.user.payload) for channel, one in sent] == [
        (0, 1, b"a"), (1, 0, b"b"), (0, 2, b"c"),
    ]  # fmt: skip
    assert [one.destination_identities for _, one in sent] == [[], ["x"], []]
    assert sent[0][1].user == livekit.UserPacket(payload=b"a", topic="t")
    assert rig.session.busy
    assert rig.told(SendsAcknowledged) == []
    rig.peer.held = {0: len(rig.peer.sent[2][1])}
    rig.happen()
    assert [one.tokens for one in rig.told(SendsAcknowledged)] == [(1, 2)]
    rig.peer.held = {}
    rig.happen()
    assert rig.told(SendsAcknowledged)[-1].tokens == (3,)
    assert not rig.session.busy


@pytest.mark.parametrize("reliable", [True, False])
def test_who_waits_for_an_acknowledgement_has_the_server_give_it(reliable: bool) -> None:
    rig = SignalRig().opened()

    def hasten() -> list[livekit.DataPacket]:
        before = len(rig.peer.sent)
        rig.session.hasten(now=rig.now)
        rig.turn()
        return [decode_message(livekit.DataPacket, data) for _, data in rig.peer.sent[before:]]

    assert hasten() == [], "nothing is on its way"
    rig.send(1, reliable=reliable)
    (second,) = hasten()
    assert second.kind is livekit.DataKind.LOSSY
    assert (second.user, second.destination_identities) == (livekit.UserPacket(), ["me"])
    # Its own bytes count as nobody's packet.
    rig.peer.held = {1: len(rig.peer.sent[-1][1])}
    rig.happen()
    assert [one.tokens for one in rig.told(SendsAcknowledged)] == [(1,)]


def test_it_is_asked_once_all_that_waits_is_on_its_way() -> None:
    rig = SignalRig().opened()
    rig.peer.room = 0
    rig.send(1)
    rig.session.hasten(now=rig.now)
    assert rig.turn().peer.sent == []
    rig.peer.room = 1_000_000
    rig.happen()
    assert [channel for channel, _ in rig.peer.sent] == [0, 1]
    early = SignalRig().joined()
    early.session.hasten(now=early.now)
    assert early.turn().peer.sent == []


def test_what_the_buffer_has_no_room_for_waits() -> None:
    rig = SignalRig(limits=Limits(send_queue_bytes=200)).opened()
    rig.peer.room = 0
    rig.send(1, bytes(100)).send(2, bytes(100))
    assert rig.told(SendAcknowledged) == [
        SendAcknowledged(link=LINK, token=2, error=rig.told(SendAcknowledged)[0].error)
    ]
    assert "wait already" in rig.told(SendAcknowledged)[0].error
    rig.peer.room = 10_000
    rig.happen()
    assert len(rig.peer.sent) == 1
    rig.send(3)
    assert [decode_message(livekit.DataPacket, data).sequence for _, data in rig.peer.sent] == [1, 2]


def test_many_go_at_once_and_in_order() -> None:
    rig = SignalRig().opened()
    rig.peer.room = 0
    for token in range(200):
        rig.send(token, b"%d" % token)
    rig.peer.room = 1_000_000
    rig.happen()
    assert [decode_message(livekit.DataPacket, data).sequence for _, data in rig.peer.sent] == list(range(1, 201))


def test_a_packet_that_is_too_long_fails_and_has_no_number() -> None:
    rig = SignalRig().opened().send(1, bytes(64_000)).send(2)
    assert "64000" in rig.told(SendAcknowledged)[0].error
    assert decode_message(livekit.DataPacket, rig.peer.sent[0][1]).sequence == 1


def test_before_the_room_is_open_nothing_can_be_sent() -> None:
    rig = SignalRig().joined().send(4)
    assert rig.told(SendAcknowledged) == [SendAcknowledged(link=LINK, token=4, error="we are not in the room")]


def test_who_sent_it_is_known_without_any_update_and_after_a_leaving() -> None:
    rig = SignalRig().opened()
    rig.message(packet(b"early", participant_identity="b", participant_sid="PA_b", topic="t", sequence=4))
    rig.update(info("b")).update(info("b", state=livekit.ParticipantState.DISCONNECTED))
    rig.message(packet(b"late", participant_identity="b", participant_sid="PA_b", kind=livekit.DataKind.LOSSY), 1)
    rig.message(packet(b"hidden", participant_identity="", participant_sid="PA_h", sequence=1))
    rig.message(packet(b"server", participant_identity="", participant_sid=""))
    assert rig.told(Arrived) == [
        Arrived("b", b"early", True, "t"),
        Arrived("b", b"late", False, ""),
        Arrived(None, b"hidden", True, ""),
        Arrived(None, b"server", True, ""),
    ]


def test_a_packet_that_comes_again_is_told_once() -> None:
    rig = SignalRig(limits=Limits(room_members=1)).opened()
    for number in (1, 2, 2, 1, 5, 4, 6):
        rig.message(packet(b"%d" % number, sequence=number))
    assert [one.data for one in rig.told(Arrived)] == [b"1", b"2", b"5", b"6"]
    rig.message(packet(b"n", participant_sid="PA_new", sequence=1)).message(packet(b"m", sequence=1))
    assert [one.data for one in rig.told(Arrived)][4:] == [b"n", b"m"], "of the oldest nothing is remembered"


@pytest.mark.parametrize("message", [b"", b"\xff\xff", packet()[:-1], bytes(70_000)])
def test_garbage_on_a_channel_is_let_go(message: bytes) -> None:
    assert SignalRig().opened().message(message).told(Arrived) == []


# --- leaving


def test_leaving_waits_for_what_was_accepted_and_for_the_servers_word() -> None:
    rig = SignalRig().opened().send(1)
    rig.do(CloseLink(link=LINK, drain=5.0))
    assert rig.state is S.LEAVING
    assert rig.requests() == []
    rig.message(packet(b"meanwhile"))
    rig.peer.held = {}
    rig.happen()
    (asked,) = rig.requests()
    assert asked.leave == livekit.LeaveRequest(reason=livekit.DisconnectReason.CLIENT_INITIATED)
    rig.do(CloseLink(link=LINK))
    rig.say(leave=livekit.LeaveRequest(reason=livekit.DisconnectReason.CLIENT_INITIATED))
    assert rig.news[-1] == LinkClosed(link=LINK, reason=CloseReason.CLIENT)
    assert [type(one) for one in rig.commands] == [CloseSocket, ClosePort]
    assert rig.session.deadline() is None


def test_leaving_waits_until_the_server_has_read_what_it_acknowledged() -> None:
    rig = SignalRig().opened().send(1)
    rig.peer.reads = False
    rig.do(CloseLink(link=LINK, drain=30.0))
    assert [call for call in rig.peer.calls if call[0] == "close_channel"] == []
    rig.peer.held = {}
    rig.happen()
    assert [call for call in rig.peer.calls if call[0] == "close_channel"] == [("close_channel", 0, rig.now)]
    assert rig.told(SendsAcknowledged) == [SendsAcknowledged(link=LINK, tokens=(1,))]
    rig.send(2).happen()
    assert rig.told(SendAcknowledged) == [SendAcknowledged(link=LINK, token=2, error="we are not in the room")]
    assert rig.requests() == []
    rig.happen(("close", 0))
    assert rig.requests()[-1].leave is not None
    assert rig.state is S.LEAVING


@pytest.mark.parametrize(("drain", "seconds"), [(30.0, 5.0), (3.0, 3.0)])
def test_a_server_that_closes_no_channel_is_not_waited_for_long(drain: float, seconds: float) -> None:
    rig = SignalRig().opened().send(1)
    rig.peer.reads, rig.peer.held = False, {}
    rig.happen().do(CloseLink(link=LINK, drain=drain)).pass_time(seconds - 0.1)
    assert rig.requests() == []
    rig.pass_time(0.1)
    assert rig.requests()[-1].leave is not None


def test_who_sent_nothing_reliable_waits_for_no_channel() -> None:
    rig = SignalRig().opened().send(1, reliable=False)
    rig.peer.reads = False
    rig.do(CloseLink(link=LINK, drain=30.0))
    assert rig.requests()[-1].leave is not None


def test_a_peer_that_fails_while_we_leave_does_not_keep_us_from_saying_so() -> None:
    rig = SignalRig().opened().send(1).do(CloseLink(link=LINK, drain=30.0))
    rig.peer.faults["receive"] = RuntimeError("broken")
    rig.happen()
    assert rig.requests()[-1].leave is not None
    rig.say(leave=livekit.LeaveRequest())
    assert rig.told(LinkClosed) == [LinkClosed(link=LINK, reason=CloseReason.CLIENT)]


def test_a_channel_that_can_not_be_closed_does_not_keep_us_either() -> None:
    rig = SignalRig().opened().send(1).do(CloseLink(link=LINK, drain=30.0))
    rig.peer.faults["close_channel"] = RuntimeError("broken")
    rig.peer.held = {}
    rig.happen()
    assert rig.requests()[-1].leave is not None


def test_leaving_is_bounded_twice() -> None:
    rig = SignalRig().opened().send(1).do(CloseLink(link=LINK, drain=2.0)).pass_time(1.9)
    assert rig.requests() == []
    rig.pass_time(0.1)
    assert rig.requests()[-1].leave is not None
    rig.pass_time(5.0)
    assert rig.told(LinkClosed)[0].reason is CloseReason.CLIENT


def test_who_leaves_before_the_room_is_open_is_told_nothing_but_the_end() -> None:
    rig = SignalRig().joined().answer().ports().happen(("ice-completed",), ("open", 0, "_reliable"))
    rig.message(packet())
    rig.do(CloseLink(link=LINK))
    assert rig.state is S.LEAVING
    assert rig.requests()[-1].leave is not None
    rig.update(info("b")).happen(rig.UP[-1]).send(3)
    rig.do(SetAttributes(link=LINK, attributes=()))
    rig.hang_up()
    assert [type(one) for one in rig.news] == [SendAcknowledged, CommandFailed, LinkClosed]


@pytest.mark.parametrize("state", [S.NEW, S.DIALING, S.ASKING, S.JOINING])
def test_giving_up_on_the_way_in(state: SignalState) -> None:
    rig = SignalRig()
    if state is not S.NEW:
        rig.begin()
    if state is S.ASKING:
        rig.hang_up(status=401)
    if state is S.JOINING:
        rig.connect()
    assert rig.state is state
    rig.do(CloseLink(link=LINK))
    assert rig.news == [LinkClosed(link=LINK, reason=CloseReason.CLIENT)]


def test_abandoning_says_so_and_waits_for_nothing() -> None:
    rig = SignalRig().opened()
    rig.session.abandon(now=rig.now)
    rig.turn()
    kinds = [type(one).__name__ for one in rig.commands]
    assert kinds == ["SendFrame", "CloseSocket", "ClosePort"]
    rig.session.abandon(now=rig.now)
    assert len(rig.turn().told(LinkClosed)) == 1


def test_nothing_comes_after_the_end() -> None:
    rig = SignalRig().opened()
    rig.session.abandon(now=rig.now)
    rig.turn().commands.clear()
    told = list(rig.news)
    for port in rig.lines:
        rig.datagrams(port, b"x")
    rig.send(9).do(CloseLink(link=LINK)).pass_time(100.0)
    rig.message(packet())
    assert rig.news == told
    assert rig.commands == []
    assert rig.session.timers == {}


# --- the server's leave


D = livekit.DisconnectReason


@pytest.mark.parametrize(
    ("reason", "closed"),
    [
        (D.UNKNOWN_REASON, R.NETWORK),
        (D.CLIENT_INITIATED, R.NETWORK),
        (D.DUPLICATE_IDENTITY, R.DUPLICATE_IDENTITY),
        (D.SERVER_SHUTDOWN, R.SERVER_SHUTDOWN),
        (D.PARTICIPANT_REMOVED, R.REMOVED),
        (D.ROOM_DELETED, R.ROOM_DELETED),
        (D.STATE_MISMATCH, R.PROTOCOL),
        (D.JOIN_FAILURE, R.PROTOCOL),
        (D.MIGRATION, R.NETWORK),
        (D.SIGNAL_CLOSE, R.NETWORK),
        (D.ROOM_CLOSED, R.ROOM_DELETED),
        (D.USER_UNAVAILABLE, R.NETWORK),
        (D.USER_REJECTED, R.NETWORK),
        (D.SIP_TRUNK_FAILURE, R.NETWORK),
        (D.CONNECTION_TIMEOUT, R.TIMEOUT),
        (D.MEDIA_FAILURE, R.NETWORK),
        (D.AGENT_ERROR, R.NETWORK),
        (99, R.NETWORK),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_every_reason_for_which_a_server_hangs_up(reason: Any, closed: CloseReason, inside: bool) -> None:
    rig = SignalRig().opened() if inside else SignalRig().joined()
    rig.take(OpenSocket)
    rig.say(leave=livekit.LeaveRequest(reason=livekit.DisconnectReason(reason)))
    kind = LinkClosed if inside else LinkFailed
    (news,) = rig.told(kind)
    assert news.reason is closed
    assert (D(reason).name or "99") in news.detail
    assert rig.requests() == [], "who was sent away says nothing more"


@pytest.mark.parametrize("again", [{"action": livekit.LeaveAction.RECONNECT}, {"can_reconnect": True}])
@pytest.mark.parametrize("reason", D)
def test_who_is_to_join_anew_has_lost_a_connection(again: dict[str, Any], reason: livekit.DisconnectReason) -> None:
    rig = SignalRig().opened().say(leave=livekit.LeaveRequest(reason=reason, **again))
    closed = rig.told(LinkClosed)[0].reason
    assert closed is CloseReason.NETWORK


def test_who_is_not_in_yet_has_nothing_to_resume() -> None:
    rig = SignalRig().joined().say(leave=livekit.LeaveRequest(action=livekit.LeaveAction.RESUME))
    assert rig.told(LinkFailed)[0].reason is CloseReason.NETWORK


def test_whose_channels_the_server_closes_waits_for_its_word() -> None:
    for happening in (("closed",), ("close", 0)):
        rig = SignalRig().opened().happen(happening)
        assert rig.state is S.OPEN
        rig.say(leave=livekit.LeaveRequest(reason=D.DUPLICATE_IDENTITY))
        assert rig.told(LinkClosed)[0].reason is CloseReason.DUPLICATE_IDENTITY
        assert rig.told(LinkReconnecting) == []


def test_without_its_word_the_channels_are_lost() -> None:
    rig = SignalRig().opened().happen(("closed",)).happen(("closed",)).pass_time(2.0)
    assert rig.told(LinkClosed)[0].reason is CloseReason.NETWORK


def test_without_a_word_and_without_a_socket_there_is_nothing_to_resume() -> None:
    rig = SignalRig().opened().happen(("closed",)).hang_up(detail="1006")
    assert rig.told(LinkClosed) == [LinkClosed(link=LINK, reason=CloseReason.NETWORK, detail="1006")]
    assert rig.told(LinkReconnecting) == []


# --- commands that have no place here


def test_what_it_cant_do_is_told() -> None:
    rig = SignalRig().opened()
    rig.do(SubscribeTrack(link=LINK, identity="a", sid="TR", wanted=True))
    rig.do(SubscribeTrack(link=LINK, identity="a", sid="TR", wanted=False))
    assert [one.sid for one in rig.told(TrackFailed)] == ["TR"]
    assert "engine='livekit'" in rig.told(TrackFailed)[0].detail
    with pytest.raises(LocalProtocolError, match="OpenLink"):
        rig.do(OpenLink(link=LINK, adapter=adapter_of()))


def test_it_is_opened_once() -> None:
    rig = SignalRig().begin()
    with pytest.raises(LocalProtocolError, match="once"):
        rig.session.open(now=rig.now)


def test_late_news_of_another_socket_or_attempt_is_ignored() -> None:
    rig = SignalRig().opened()
    assert rig.socket is not None
    assert rig.socket.generation == LINK.generation
    assert rig.session.link == LINK
    for other in (LinkRef(rig.socket.link, LINK.generation - 1), LinkRef(99, LINK.generation)):
        rig.give(SocketClosed(link=other, reason=CloseReason.NETWORK))
        rig.give(FrameReceived(link=other, data=b"\x42\x00"))
        rig.datagrams(other, b"x")
    assert rig.state is S.OPEN


# --- attributes


def test_attributes_are_asked_for_and_answered_by_number() -> None:
    rig = SignalRig().opened()
    for name in "abc":
        rig.do(SetAttributes(link=LINK, attributes=((name, "1"),)))
    assert [one.update_metadata and one.update_metadata.request_id for one in rig.requests()] == [1, 2, 3]
    outcome = livekit.RequestOutcome
    for number, reason, message in (
        (1, outcome.QUEUED, ""),
        (2, outcome.NOT_ALLOWED, f"no {rig.secret}"),
        (3, outcome.LIMIT_EXCEEDED, ""),
        (1, outcome.OK, ""),
        (1, outcome.OK, ""),
        (0, outcome.OK, ""),
    ):
        rig.say(request_response=livekit.RequestResponse(request_id=number, reason=reason, message=message))
    assert rig.told(CommandCompleted) == [CommandCompleted(link=LINK, what="SetAttributes")]
    assert [one.detail for one in rig.told(CommandFailed)] == ["no ***", "LIMIT_EXCEEDED"]
    assert_no_secret(rig.secret, rig.news)


def test_so_much_may_be_unanswered() -> None:
    rig = SignalRig(limits=Limits(room_requests=1)).opened()
    for _ in range(2):
        rig.do(SetAttributes(link=LINK, attributes=(("a", "1"),)))
    assert len(rig.told(CommandFailed)) == 1


# --- pings


def test_a_silent_server_is_asked_and_the_way_is_measured() -> None:
    rig = SignalRig().opened()
    rig.pass_time(5.0)
    ping = rig.requests()[-1].ping_req
    assert ping is not None
    assert ping.rtt == 0
    rig.pass_time(0.25).say(pong_resp=livekit.Pong(last_ping_timestamp=ping.timestamp))
    rig.say(pong_resp=livekit.Pong(last_ping_timestamp=ping.timestamp))
    rig.pass_time(5.0)
    again = rig.requests()[-1].ping_req
    assert again is not None
    assert again.rtt == 250
    # A number that is not ours measures nothing.
    rig.say(pong_resp=livekit.Pong(last_ping_timestamp=-(2**63)))
    rig.pass_time(5.0)
    last = rig.requests()[-1].ping_req
    assert last is not None
    assert last.rtt == 250


def test_the_way_is_measured_when_somebody_asks() -> None:
    rig, told = SignalRig().opened(), []
    rig.requests()

    def ask() -> None:
        rig.session.measure(told.append, now=rig.now)
        rig.turn()

    ask()
    ask()
    (request,) = rig.requests()
    assert request.ping_req is not None
    assert told == []
    rig.pass_time(0.125).say(pong_resp=livekit.Pong(last_ping_timestamp=request.ping_req.timestamp))
    assert told == pytest.approx([0.125] * 2)
    # Each answer is one; what is no measurement is none, nor is there one without a socket.
    ask()
    rig.say(pong_resp=livekit.Pong(last_ping_timestamp=1))
    ask()
    rig.hang_up()
    ask()
    assert told[2:] == [None] * 3


def test_any_message_is_a_sign_of_life() -> None:
    rig = SignalRig().opened(ping_interval=2, ping_timeout=4)
    for _ in range(5):
        rig.pass_time(3.0)
        assert rig.socket is not None
        rig.give(FrameReceived(link=rig.socket, data=b"{}", text=True))
        rig.give(FrameReceived(link=rig.socket, data=b"\xff"))
    assert rig.state is S.OPEN
    rig.pass_time(4.0)
    assert rig.state is S.RESUMING


@pytest.mark.parametrize("wrong", [{"ping_interval": 0}, {"ping_timeout": -1}, {"ping_timeout": 2**31 - 1}])
def test_odd_times_of_a_server_are_not_taken(wrong: dict[str, int]) -> None:
    rig = SignalRig().opened(**wrong).pass_time(15.0)
    assert rig.state is S.RESUMING


def test_every_state_is_in_the_tables() -> None:
    assert set(SIGNAL_WAITS) == set(SignalState) == {state for state, _ in SIGNAL_TRANSITIONS} | {S.CLOSED}
    assert Timer.PING in SignalRig().opened().session.timers
    assert INFO["identity"] == "me"


def test_tracks_are_told_once_the_room_is() -> None:
    track = livekit.TrackInfo(sid="TR", type=livekit.TrackType.VIDEO)
    assert [one.track.sid for one in SignalRig().opened(info("a", tracks=[track])).told(TrackAppeared)] == ["TR"]
