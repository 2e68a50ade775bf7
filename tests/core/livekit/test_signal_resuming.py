"""Getting back what was lost of a LiveKit room: the socket, the way of datagrams, or both."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rigs.core.canary import assert_no_secret
from rigs.core.tokens import make_token
from rigs.signals.session import LINK, SignalRig, TwoRig, info, packet, trickle

from dcl_comms_core import Limits
from dcl_comms_core.codec import decode_message
from dcl_comms_core.commands import CloseLink, CloseSocket, OpenSocket, SetAttributes
from dcl_comms_core.inputs import (
    CommandCompleted,
    LinkClosed,
    LinkReconnected,
    LinkReconnecting,
    LinkSilent,
    ParticipantJoined,
    ParticipantLeft,
    SendsAcknowledged,
    TokenRefreshed,
)
from dcl_comms_core.livekit.arrivals import Arrived
from dcl_comms_core.proto import livekit
from dcl_comms_core.states import CloseReason, Timer
from dcl_comms_core.states.livekit import SignalState

S = SignalState


def query(command: OpenSocket) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(command.url).query).items()}


def request(command: OpenSocket) -> livekit.JoinRequest:
    wrapped = decode_message(livekit.WrappedJoinRequest, base64.urlsafe_b64decode(query(command)["join_request"]))
    return decode_message(livekit.JoinRequest, wrapped.join_request)


def dialed(rig: SignalRig) -> OpenSocket:
    """The attempt that comes after a pause."""
    rig.take(OpenSocket)
    rig.pass_time(rig.session.timers[Timer.RETRY] - rig.now)
    return rig.take(OpenSocket)[-1]


def taken_back(rig: SignalRig, last: int = 0) -> SignalRig:
    """A new socket, and the server knows us."""
    dialed(rig)
    rig.connect().commands.clear()
    return rig.say(reconnect=livekit.ReconnectResponse(last_message_seq=last))


def back(rig: SignalRig) -> SignalRig:
    """ICE began anew and went well."""
    rig.answer(2)
    return rig.happen(("ice-checking",)).happen(("ice-completed",))


def test_a_lost_socket_is_opened_anew_and_nothing_else_is() -> None:
    rig = SignalRig().opened().pass_time(3.0).hang_up()
    assert rig.state is S.RESUMING
    assert rig.news[1:] == [LinkReconnecting(link=LINK), LinkSilent(link=LINK, seconds=3.0)]
    asked = request(dialed(rig))
    assert (asked.reconnect, asked.participant_sid) == (True, "PA_me")
    assert asked.reconnect_reason is livekit.ReconnectReason.RR_SIGNAL_DISCONNECTED
    assert asked.publisher_offer is None
    rig.connect().commands.clear()
    rig.say(reconnect=livekit.ReconnectResponse())
    state, offer = (one for one in rig.requests())
    assert state.sync_state is not None
    assert offer.offer is not None
    assert offer.offer.id == 2
    assert rig.peer.calls[-1] == ("offer", (), True)
    assert rig.told(LinkReconnected) == [], "that the old way works says nothing of the new one"
    back(rig)
    assert rig.state is S.OPEN
    assert rig.told(LinkReconnected) == [LinkReconnected(link=LINK)]
    assert len(rig.peers) == 1


def test_with_two_connections_the_server_begins_one_anew_and_we_the_other() -> None:
    rig = TwoRig().opened().hang_up()
    command = dialed(rig)
    asked = query(command)
    assert (asked["reconnect"], asked["sid"], asked["reconnect_reason"]) == ("1", "PA_me", "1")
    assert urlsplit(command.url).path == "/rtc"
    rig.connect().commands.clear()
    rig.say(reconnect=livekit.ReconnectResponse())
    rig.offered(2).say(**trickle(target=livekit.SignalTarget.SUBSCRIBER))
    rig.happen(("ice-checking",), peer=rig.into)
    back(rig)
    assert rig.state is S.RESUMING, "the other one is not there"
    rig.happen(("ice-completed",), peer=rig.into)
    assert rig.state is S.OPEN
    assert len(rig.peers) == 3


@pytest.mark.parametrize("two", [False, True])
def test_where_we_were_is_told(two: bool) -> None:
    rig = (TwoRig() if two else SignalRig()).opened()
    theirs = rig.into if isinstance(rig, TwoRig) else rig.peer
    for number in (1, 2):
        rig.happen(("data", 0, packet(sequence=number)), peer=theirs)
    rig.happen(("data", 0, packet(participant_sid="PA_b", sequence=9)), peer=theirs)
    taken_back(rig.hang_up())
    state = rig.requests()[0].sync_state
    assert state is not None
    assert state.answer is not None
    assert state.offer is not None
    if two:
        assert (state.offer.sdp, state.answer.sdp) == ("v=0 theirs\r\na=ice-ufrag:1\r\n", "v=0 answer")
    else:
        assert (state.offer.sdp, state.answer.sdp) == ("v=0 offer", "v=0 theirs")
    assert state.subscription == livekit.UpdateSubscription(subscribe=True)
    targets = [(one.label, one.target) for one in state.data_channels]
    here, there = livekit.SignalTarget.PUBLISHER, livekit.SignalTarget.SUBSCRIBER
    assert targets[:2] == [("_reliable", here), ("_lossy", here)]
    assert targets[2:] == ([("_reliable", there), ("_lossy", there)] if two else [])
    assert {(one.publisher_sid, one.last_seq) for one in state.datachannel_receive_states} == {("PA_a", 2), ("PA_b", 9)}


@pytest.mark.parametrize(
    ("which", "reason"),
    [("out", livekit.ReconnectReason.RR_PUBLISHER_FAILED), ("in", livekit.ReconnectReason.RR_SUBSCRIBER_FAILED)],
)
def test_where_datagrams_stop_the_server_is_told_which_way(which: str, reason: livekit.ReconnectReason) -> None:
    rig = TwoRig().opened()
    rig.happen(("ice-disconnected",), peer=rig.peer if which == "out" else rig.into)
    assert rig.state is S.RESUMING
    assert rig.take(CloseSocket)
    assert query(dialed(rig))["reconnect_reason"] == str(reason.value)


def test_a_server_may_ask_for_it() -> None:
    rig = SignalRig().opened()
    leave = livekit.LeaveRequest(reason=livekit.DisconnectReason.CONNECTION_TIMEOUT, action=livekit.LeaveAction.RESUME)
    rig.say(leave=leave)
    assert rig.state is S.RESUMING
    taken_back(rig).say(leave=leave)
    assert rig.state is S.RESUMING
    assert back(taken_back(rig)).state is S.OPEN
    assert len(rig.told(LinkReconnecting)) == 1


def test_a_server_that_does_not_know_us_sends_us_in_anew() -> None:
    rig = SignalRig().opened().hang_up()
    dialed(rig)
    rig.connect()
    mismatch = livekit.DisconnectReason.STATE_MISMATCH
    rig.say(leave=livekit.LeaveRequest(reason=mismatch, action=livekit.LeaveAction.RECONNECT))
    assert rig.told(LinkClosed)[0].reason is CloseReason.NETWORK
    assert "STATE_MISMATCH" in rig.told(LinkClosed)[0].detail


def test_a_join_in_place_of_a_resume_is_another_session() -> None:
    rig = SignalRig().opened().hang_up()
    dialed(rig)
    rig.connect().join()
    assert rig.told(LinkClosed)[0].reason is CloseReason.NETWORK


def test_the_newest_token_is_used_and_an_odd_one_is_not() -> None:
    rig = SignalRig().opened()
    token = make_token(ttl=999.0)
    rig.say(refresh_token=token).say(refresh_token="odd").say(refresh_token=" ")
    assert [one.token.reveal() for one in rig.told(TokenRefreshed)] == [token]
    rig.hang_up()
    assert query(dialed(rig))["access_token"] == token
    assert_no_secret(token, rig.news, rig.commands, repr(rig.session))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_the_end(status: int) -> None:
    rig = SignalRig().opened().hang_up()
    dialed(rig)
    rig.hang_up(status=status)
    assert rig.told(LinkClosed)[0].detail == f"HTTP {status}"


def test_what_stands_before_a_server_may_fail_meanwhile() -> None:
    rig = SignalRig().opened().hang_up()
    for status in (502, 503, 0):
        dialed(rig)
        rig.hang_up(status=status)
        assert rig.state is S.RESUMING
    assert back(taken_back(rig)).state is S.OPEN


def test_attempts_have_an_end() -> None:
    rig = SignalRig().opened().hang_up()
    attempts = 0
    while rig.state is S.RESUMING:
        assert Timer.RETRY in rig.session.timers
        rig.pass_time(7.0)
        if rig.take(OpenSocket):
            attempts += 1
            rig.hang_up()
    assert attempts == 10
    assert rig.told(LinkClosed) == [
        LinkClosed(link=LINK, reason=CloseReason.NETWORK, detail="the connection did not come back")
    ]


def test_a_socket_that_never_opens_or_says_nothing_of_us_is_given_up_for_the_next() -> None:
    rig = SignalRig().opened().hang_up()
    dialed(rig)
    rig.pass_time(9.9)
    assert Timer.RETRY not in rig.session.timers
    rig.pass_time(0.1)
    assert len(rig.take(CloseSocket)) == 1
    dialed(rig)
    rig.connect()
    for _ in range(4):
        rig.pass_time(2.4).say(pong_resp=livekit.Pong())
    assert Timer.RETRY not in rig.session.timers
    rig.pass_time(0.4)
    assert len(rig.take(CloseSocket)) == 1
    assert Timer.RETRY in rig.session.timers


def test_ice_that_does_not_come_back_is_the_end() -> None:
    rig = taken_back(SignalRig().opened().hang_up()).answer(2).pass_time(9.0)
    rig.say(reconnect=livekit.ReconnectResponse()).pass_time(0.9)
    assert rig.state is S.RESUMING
    rig.pass_time(0.1)
    assert rig.told(LinkClosed)[0].reason is CloseReason.NETWORK
    assert not rig.session.failed_at_ice


def test_an_offer_that_cant_be_made_is_the_end() -> None:
    rig = SignalRig().opened().hang_up()
    rig.peer.faults = {"offer": RuntimeError("over")}
    taken_back(rig)
    assert rig.told(LinkClosed)[0].detail == "over"


def test_reconnect_without_having_asked_is_late_news() -> None:
    rig = SignalRig().opened().say(reconnect=livekit.ReconnectResponse())
    assert rig.requests() == []
    assert rig.state is S.OPEN


def test_silence_while_resuming_is_another_loss() -> None:
    rig = taken_back(SignalRig().opened(ping_interval=1, ping_timeout=3).hang_up()).pass_time(3.2)
    assert rig.state is S.RESUMING
    assert len(rig.told(LinkReconnecting)) == 1


def test_who_is_missing_in_the_full_list_has_left() -> None:
    rig = taken_back(SignalRig().opened(info("a"), info("b"), info("c")).hang_up())
    gone = livekit.ParticipantInfo(identity="a", sid="PA_a", version=4, state=livekit.ParticipantState.DISCONNECTED)
    rig.update(gone)
    assert [one.identity for one in rig.told(ParticipantLeft)] == ["a"]
    me = livekit.ParticipantInfo(identity="me", sid="PA_me", version=5)
    rig.update(me, info("b"), info("d"))
    assert [one.identity for one in rig.told(ParticipantLeft)] == ["a", "c"]
    assert [one.participant.identity for one in rig.told(ParticipantJoined)] == ["d"]
    rig.update(me, info("b"))
    assert len(rig.told(ParticipantLeft)) == 2, "only the first list is of everybody"
    back(rig)


def test_what_was_asked_and_not_answered_is_asked_again() -> None:
    rig = SignalRig().opened().do(SetAttributes(link=LINK, attributes=(("a", "1"),))).hang_up()
    rig.do(SetAttributes(link=LINK, attributes=(("b", "2"),)))
    taken_back(rig)
    changes = [one.update_metadata for one in rig.requests() if one.update_metadata is not None]
    assert [(one.request_id, one.attributes) for one in changes] == [(1, {"a": "1"}), (2, {"b": "2"})]
    for number in (1, 2):
        rig.say(request_response=livekit.RequestResponse(request_id=number))
    assert len(rig.told(CommandCompleted)) == 2


def test_packets_go_on_meanwhile() -> None:
    rig = SignalRig().opened().hang_up().send(1)
    rig.message(packet(b"in", sequence=1))
    assert rig.told(Arrived)
    assert len(rig.peer.sent) == 1
    rig.peer.held = {}
    rig.happen()
    assert rig.told(SendsAcknowledged)[0].tokens == (1,)


def test_where_channels_began_anew_packets_go_again_after_what_the_server_has() -> None:
    rig = SignalRig().opened()
    for token in range(1, 5):
        rig.send(token)
    rig.send(5, reliable=False)
    rig.hang_up()
    rig.happen(("close", 0), ("close", 1))
    rig.send(6)
    assert len(rig.peer.sent) == 5, "there is no channel"
    assert rig.told(SendsAcknowledged) == []
    taken_back(rig, last=2)
    rig.peer.held = {}
    rig.peer.sent.clear()
    rig.answer(2).happen(("ice-checking",), ("ice-completed",), ("open", 0, "_reliable"), ("open", 1, "_lossy"))
    assert rig.state is S.OPEN
    assert rig.told(SendsAcknowledged)[0].tokens == (1, 2, 5)
    assert [decode_message(livekit.DataPacket, data).sequence for _, data in rig.peer.sent] == [3, 4, 5]
    rig.peer.held = {}
    rig.happen()
    assert [one.tokens for one in rig.told(SendsAcknowledged)] == [(1, 2, 5), (3, 4, 6)]


def test_leaving_while_ice_is_lost_is_told_to_the_server() -> None:
    rig = taken_back(SignalRig().opened().hang_up()).do(CloseLink(link=LINK))
    assert rig.requests()[-1].leave is not None
    assert rig.state is S.LEAVING


def test_pauses_are_of_the_seed() -> None:
    def pause(seed: int) -> Any:
        rig = SignalRig(entropy=seed, limits=Limits()).opened().hang_up()
        return rig.session.timers[Timer.RETRY]

    assert pause(1) == pause(1)
    assert pause(1) != pause(2)
