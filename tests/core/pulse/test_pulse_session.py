"""PulseSession: in, out and back in again, over a line with a service of ENet's at its other end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rigs.core.chains import OTHER, identity
from rigs.core.pulse_line import WELCOME, Line

from dcl_comms_core import (
    Backoff,
    ChallengeGuard,
    ClockSet,
    CloseReason,
    DatagramReceived,
    DatagramRefused,
    DatagramsClosed,
    DatagramsOpened,
    LimitReached,
    LocalProtocolError,
    MergedRooms,
    OpenDatagrams,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    Reconnected,
    Reconnecting,
    Retry,
    RoomClosed,
    RoomOpened,
    SignatureNeeded,
    Signing,
    WarningCode,
)
from dcl_comms_core import Warning as WarningEvent
from dcl_comms_core.errors import InvalidAuthChain, PacketTooLarge
from dcl_comms_core.inputs import PacketsDropped
from dcl_comms_core.merged.sources import Emoting, Placing, RealmFollowing
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.areas import ScenesOnly
from dcl_comms_core.pulse.reasons import ENDINGS, DisconnectReason
from dcl_comms_core.pulse.session import PulseSession
from dcl_comms_core.states import PulseState

STEADY = Backoff(initial=2.0, factor=1.0, jitter=0.0)


def refused(error: str | None) -> pulse.ServerMessage:
    return pulse.ServerMessage(handshake=pulse.HandshakeResponse(error=error))


def end(line: Line) -> RoomClosed:
    (closed,) = line.told(RoomClosed)
    assert line.session.state is PulseState.CLOSED
    assert line.events[-1] is closed
    return closed


# --- in


def test_it_connects_proves_who_it_is_and_says_where_it_is() -> None:
    line = Line().open().run(1.0)
    (opened,) = line.opened
    assert (opened.host, opened.port, opened.within) == ("pulse.test", 7777, None)
    (asked,) = line.told(SignatureNeeded)
    assert (asked.payload.startswith("connect:/:1700000000"), asked.payload.endswith(":{}")) == (True, True)
    (hello,) = line.said("handshake")
    proof = json.loads(hello.auth_chain)
    assert json.loads(proof["x-identity-auth-chain-2"])["payload"] == asked.payload
    assert (hello.initial_state, hello.profile_version) == (None, 0)
    (entered,) = line.told(RoomOpened)
    assert (entered.room, entered.name) == ("pulse", "pulse.test:7777")
    # In the letters in which the island service and the rooms write it, whatever the wallet's own.
    assert line.who.address != str(entered.identity) == line.who.address.lower()
    (jump,) = line.said("teleport")
    assert (jump.parcel_index, jump.position_x, jump.position_z, jump.realm) == (48488, 128, 128, "main")
    assert [channel for _, channel, message in line.heard if message.input is not None] == [1]
    assert line.session.state is PulseState.OPEN
    assert (line.session.sending, line.session.places) == (True, True)


def test_it_goes_on_for_hours_with_pings_alone() -> None:
    line = Line().open().run(1.0)
    said = len(line.heard)
    line.run(3_600.0)
    assert (line.session.state, len(line.heard)) == (PulseState.OPEN, said)


def test_it_begins_once_and_with_a_wall_clock() -> None:
    session = PulseSession("pulse.test", address=identity().address)
    with pytest.raises(LocalProtocolError, match="ClockSet"):
        session.open(now=0.0)
    session.receive(ClockSet(unix_offset=1.0), now=0.0)
    session.open(now=0.0)
    with pytest.raises(LocalProtocolError, match="make a new PulseSession"):
        session.open(now=0.0)


def test_nobody_is_told_who_we_are_whom_the_guard_does_not_allow() -> None:
    line = Line(guard=ChallengeGuard(["*.example.org"])).open()
    line.turn()
    closed = end(line)
    assert (closed.reason, closed.retry, line.opened) == (CloseReason.SIGNING_REFUSED, Retry.NEVER, [])
    assert Line(guard=ChallengeGuard(["pulse.test"])).open().run(1.0).said("handshake")


# --- signatures


def test_a_signature_that_is_refused_ends_it() -> None:
    line = Line(signs=False).open().run(1.0)
    (asked,) = line.told(SignatureNeeded)
    line.session.refuse_signature(asked.request + 1, now=line.now)
    assert line.session.counters["late"] == 1
    line.session.refuse_signature(asked.request, "no", now=line.now)
    line.run(1.0)
    closed = end(line)
    assert (closed.reason, closed.detail, line.left) == (CloseReason.NOT_SIGNED, "no", [1])
    assert line.said("handshake") == []


def test_a_signature_that_does_not_come_is_asked_for_anew() -> None:
    line = Line(signs=False, reconnect=STEADY).open().run(30.0)
    first, second = line.told(SignatureNeeded)
    assert first.payload != second.payload
    late = line.session.counters["late"]
    line.session.provide_signature(first.request, line.who.sign(first.payload), now=line.now)
    assert line.session.counters["late"] == late + 1
    line.session.provide_signature(second.request, line.who.sign(second.payload), now=line.now)
    line.run(1.0)
    assert line.session.state is PulseState.OPEN


def test_a_wrong_signature_may_be_followed_by_the_right_one() -> None:
    line = Line(signs=False).open().run(1.0)
    (asked,) = line.told(SignatureNeeded)
    wrong: list[tuple[Any, type[Exception]]] = [
        (line.who.sign("connect:/:1:{}"), LocalProtocolError),
        (identity(expires=1_700_000_000.0 - 5.0).sign(asked.payload), InvalidAuthChain),
    ]
    for chain, error in wrong:
        with pytest.raises(error):
            line.session.provide_signature(asked.request, chain, now=line.now)
    line.session.provide_signature(asked.request, line.who.sign(asked.payload), now=line.now)
    line.run(1.0)
    assert line.told(RoomOpened)


def test_a_proof_that_the_service_would_not_take_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(signs=False).open().run(1.0)
    (asked,) = line.told(SignatureNeeded)
    monkeypatch.setattr("dcl_comms_core.pulse.session.MOST_HANDSHAKE", 100)
    with pytest.raises(PacketTooLarge):
        line.session.provide_signature(asked.request, line.who.sign(asked.payload), now=line.now)


# --- not in


def test_a_refused_handshake_ends_it_and_says_why() -> None:
    line = Line(answers=False).open().run(0.2)
    line.say(refused("Invalid signature for final payload."))
    closed = end(line.run(1.0))
    assert (closed.reason, closed.retry) == (CloseReason.AUTHENTICATION, Retry.NEVER)
    assert "Invalid signature" in closed.detail


def test_who_is_banned_hears_that_from_the_answer_or_the_number() -> None:
    line = Line(answers=False).open().run(0.2)
    line.say(refused("banned"))
    assert end(line.run(1.0)).reason is CloseReason.BANNED
    line = Line(answers=False).open().run(0.2)
    line.peer.disconnect(DisconnectReason.BANNED)
    assert end(line.run(1.0)).reason is CloseReason.BANNED


def test_a_service_that_does_not_answer_is_asked_again_with_another_proof() -> None:
    line = Line(answers=False, reconnect=STEADY).open().run(8.0)
    first, second = line.said("handshake")
    assert first.auth_chain != second.auth_chain
    (warning,) = line.told(WarningEvent)
    assert (warning.code, "no word" in warning.text) == (WarningCode.SOURCE_UNREACHABLE, True)
    assert line.told(Reconnecting) == []
    line.say(WELCOME)
    line.run(1.0)
    assert (len(line.told(RoomOpened)), line.session.state) == (1, PulseState.OPEN)


def test_a_black_hole_is_told_once_and_tried_until_it_is_none() -> None:
    line = Line(reconnect=STEADY).open()
    line.reaches = False
    line.run(100.0)
    (warning,) = line.told(WarningEvent)
    assert "nothing came from pulse.test:7777 over UDP within 10 s: a firewall" in warning.text
    assert warning.at == pytest.approx(1_010.0, abs=1.0)
    assert len(line.opened) == 9
    line.reaches = True
    line.run(15.0)
    assert line.session.state is PulseState.OPEN
    assert len({opened.link for opened in line.opened}) == len(line.opened)


def test_a_refusal_of_the_networks_is_no_reason_to_wait_for_long() -> None:
    line = Line(reconnect=STEADY).open()
    line.reaches = False
    line.run(0.5)
    line.session.receive(DatagramRefused(link=line.session.link, detail="connection refused"), now=line.now)
    line.run(0.5)
    assert line.session.state is PulseState.WAITING
    (warning,) = line.told(WarningEvent)
    assert warning.text == "nothing listens at pulse.test:7777 (connection refused); it is tried again"
    line.reaches = True
    line.run(3.0)
    assert line.session.state is PulseState.OPEN
    # While it is connected anybody may say so.
    line.session.receive(DatagramRefused(link=line.session.link), now=line.now)
    line.run(1.0)
    assert (line.session.state, line.session.counters["refused"]) == (PulseState.OPEN, 2)


def test_a_network_that_does_not_answer_is_given_up() -> None:
    line = Line(reconnect=STEADY)
    line.opens = False
    line.open().run(11.0)
    assert (line.session.state, len(line.closed)) == (PulseState.WAITING, 1)


@pytest.mark.parametrize(
    ("reason", "final"),
    [(CloseReason.UNREACHABLE, False), (CloseReason.NETWORK, False), (CloseReason.FORBIDDEN, True)],
)
def test_what_the_network_says_when_it_is_asked(reason: CloseReason, final: bool) -> None:
    line = Line(reconnect=STEADY)
    line.opens = False
    line.open().turn()
    line.session.receive(DatagramsClosed(link=line.session.link, reason=reason, detail="no such name"), now=line.now)
    line.run(1.0)
    assert line.session.state is (PulseState.CLOSED if final else PulseState.WAITING)
    told = end(line).detail if final else line.told(WarningEvent)[0].text
    assert "pulse.test:7777: no such name" in told
    assert line.closed == []


# --- lost


@pytest.mark.parametrize("code", range(21))
def test_each_number_with_which_the_service_hangs_up(code: int) -> None:
    line = Line(reconnect=STEADY).open().run(1.0)
    line.peer.disconnect(code)
    line.run(0.5)
    told = ENDINGS.get(code)
    if told is not None and told.retry is Retry.NEVER:
        closed = end(line)
        assert (closed.reason, closed.retry, closed.detail) == (told.reason, Retry.NEVER, told.detail)
        return
    pause = max(2.0, told.pause if told is not None else 60.0)
    (lost,) = line.told(Reconnecting)
    line.run(pause - 1.0)
    assert len(line.opened) == 1
    line.run(2.0)
    (back,) = line.told(Reconnected)
    assert (back.at - lost.at, back.attempt, line.told(WarningEvent)) == (pytest.approx(pause + 0.08, abs=0.03), 1, [])


def test_a_connection_that_fell_silent_is_begun_anew_from_where_we_are() -> None:
    line = Line(reconnect=STEADY).open().run(1.0)
    line.session.set_realm("other.dcl.eth", now=line.now)
    line.run(1.0)
    line.reaches = False
    line.run(20.0)
    assert [(lost.reason, lost.attempt) for lost in line.told(Reconnecting)] == [
        (CloseReason.NETWORK, 1),
        (CloseReason.UNREACHABLE, 2),
    ]
    (warning,) = line.told(WarningEvent)
    assert warning.code is WarningCode.SOURCE_UNREACHABLE
    line.reaches = True
    line.heard.clear()
    line.run(10.0)
    (back,) = line.told(Reconnected)
    assert (back.attempt, len(line.told(RoomOpened)), line.session.counters["reconnected"]) == (2, 1, 1)
    (hello,) = line.said("handshake")
    assert (hello.initial_state.realm, hello.initial_state.state.parcel_index) == ("other.dcl.eth", 48488)
    # Some services forget the realm that was in it.
    (jump,) = line.said("teleport")
    assert jump.realm == "other.dcl.eth"


def test_without_a_policy_what_is_lost_is_over() -> None:
    line = Line(reconnect=None).open().run(1.0)
    line.peer.disconnect(DisconnectReason.GRACEFUL)
    closed = end(line.run(1.0))
    assert (closed.reason, closed.retry) == (CloseReason.SERVER_SHUTDOWN, Retry.BACKOFF)


# --- what should not come


def test_what_is_not_understood_or_out_of_turn_is_counted_and_let_go() -> None:
    line = Line(answers=False).open().run(0.2)
    line.peer.send(b"\xff\xff", channel=0)
    line.say(pulse.ServerMessage(player_left=pulse.PlayerLeft(subject_id=1)))
    line.say(pulse.ServerMessage())
    line.run(0.2)
    counters = line.session.counters
    assert (counters["received"], counters["undecodable"], counters["ignored"]) == (3, 1, 2)
    assert line.session.state is PulseState.GREETING
    line.say(WELCOME)
    line.run(0.2)
    line.say(refused("too late"))
    line.run(0.2)
    assert line.session.state is PulseState.OPEN


def test_what_follows_the_end_of_a_connection_is_let_go() -> None:
    line = Line(answers=False).open().run(0.2)
    line.say(refused("no"))
    line.say(WELCOME)
    end(line.run(1.0))
    assert (line.told(RoomOpened), line.session.counters["received"]) == ([], 1)
    line = Line(reconnect=STEADY)
    line.opens = False
    line.open().turn()
    line.session.receive(DatagramReceived(link=line.session.link, data=b"early"), now=line.now)
    assert line.session.state is PulseState.OPENING


def test_news_of_another_link_and_doubled_news_are_late() -> None:
    line = Line().open().run(1.0)
    old = line.session.link._replace(generation=0)
    for late in (
        DatagramsOpened(link=old),
        DatagramsClosed(link=old, reason=CloseReason.NETWORK),
        DatagramsOpened(link=line.session.link),
    ):
        line.session.receive(late, now=line.now)
    assert (line.session.state, line.session.counters["late"]) == (PulseState.OPEN, 3)


def test_what_the_driver_had_no_room_for_is_told() -> None:
    line = Line().open().run(1.0)
    line.session.receive(PacketsDropped(link=line.session.link, count=3), now=line.now)
    line.turn()
    (told,) = line.told(LimitReached)
    assert (told.limit, line.session.counters["dropped.inbox_bytes"]) == ("inbox_bytes", 3)


# --- out


def test_who_leaves_says_so() -> None:
    line = Line().open().run(1.0)
    line.session.close(now=line.now)
    line.session.close(now=line.now)
    line.run(1.0)
    closed = end(line)
    assert (closed.reason, closed.retry, line.left, len(line.closed)) == (CloseReason.CLIENT, Retry.NEVER, [1], 1)
    line.session.close(now=line.now)
    assert line.run(60.0).told(RoomClosed) == [closed]


def test_leaving_takes_no_longer_than_it_may() -> None:
    line = Line().open().run(1.0)
    line.reaches = False
    line.session.close(drain=2.0, now=line.now)
    began = line.now
    line.run(10.0)
    assert end(line).at == pytest.approx(began + 2.0)
    line = Line().open().run(1.0)
    line.opens = False
    line.session.close(now=line.now)
    line.run(6.0)
    assert (end(line).detail, line.left) == ("the network did not confirm the end", [1])


@pytest.mark.parametrize(
    "state",
    [
        PulseState.NEW,
        PulseState.OPENING,
        PulseState.CONNECTING,
        PulseState.SIGNING,
        PulseState.GREETING,
        PulseState.WAITING,
    ],
)
def test_it_can_be_left_at_any_time(state: PulseState) -> None:
    line = Line(answers=False, signs=state is PulseState.GREETING, reconnect=STEADY)
    line.opens = state is not PulseState.OPENING
    line.reaches = state not in (PulseState.CONNECTING, PulseState.WAITING)
    if state is not PulseState.NEW:
        line.open().run(11.0 if state is PulseState.WAITING else 0.5)
    assert line.session.state is state
    line.session.close(now=line.now)
    line.run(6.0)
    assert end(line).reason is CloseReason.CLIENT
    assert line.run(100.0).session.deadline() is None
    assert len(line.closed) == (state is not PulseState.NEW)


def test_who_we_are_is_in_no_repr() -> None:
    line = Line().open().run(1.0)
    secret = line.said("handshake")[0].auth_chain.decode()
    seen = repr((line.session, line.events, line.opened, line.heard))
    assert OTHER.address not in secret
    assert not any(part in seen for part in secret.split('"') if len(part) > 100)


# --- whom it tells of

SOMEBODY = "0xc2a05384ae6e031baabf708e454c00b3d49e2bca"


def joined(sequence: int = 5) -> pulse.ServerMessage:
    state = pulse.PlayerState(parcel_index=48488, position_x=64, state_flags=1)
    full = pulse.PlayerStateFull(subject_id=0, sequence=sequence, server_tick=1_000, state=state)
    return pulse.ServerMessage(player_joined=pulse.PlayerJoined(user_id=SOMEBODY, state=full, realm="main"))


def test_it_tells_of_whoever_is_near_and_that_they_are_gone_with_the_connection() -> None:
    line = Line(reconnect=STEADY).open().run(1.0)
    line.say(joined())
    line.run(0.5)
    (came,), (moved,) = line.told(PeerJoined), line.told(PeerMoved)
    assert (came.room, came.sender.address, moved.position.x) == ("pulse", SOMEBODY, pytest.approx(64 / 255 * 16))
    line.peer.disconnect(DisconnectReason.GRACEFUL)
    line.run(0.5)
    kinds = [type(event) for event in line.events if isinstance(event, PeerLeft | Reconnecting)]
    assert sorted(kind.__name__ for kind in kinds) == ["PeerLeft", "Reconnecting"]
    line.run(5.0)
    line.say(joined(sequence=0))
    line.run(0.5)
    assert len(line.told(PeerJoined)) == 2


def test_what_was_lost_on_the_way_is_asked_for_again() -> None:
    line = Line().open().run(1.0)
    line.say(joined())
    line.say(
        pulse.ServerMessage(player_state_delta=pulse.PlayerStateDeltaTier0(subject_id=0, baseline_seq=7, new_seq=8))
    )
    line.run(0.5)
    assert [(ask.subject_id, ask.known_seq) for ask in line.said("resync")] == [(0, 5)]


def test_a_realm_of_ours_hides_those_of_another() -> None:
    line = Line().open().run(1.0)
    line.say(joined())
    line.run(0.5)
    line.session.set_realm("other.dcl.eth", now=line.now)
    line.turn()
    assert len(line.told(PeerLeft)) == 1
    line.session.set_realm("MAIN", now=line.now)
    line.turn()
    assert len(line.told(PeerJoined)) == 2


def test_a_listener_hears_of_every_realm_that_it_watches() -> None:
    line = Line(scenes=ScenesOnly((0, 0), realm="other.dcl.eth")).open().run(1.0)
    line.say(joined())
    line.run(0.5)
    assert len(line.told(PeerJoined)) == 1


def test_who_is_nowhere_begins_anew_from_nowhere() -> None:
    line = Line(reconnect=STEADY)
    line.session.open(now=line.now)
    line.run(1.0)
    line.peer.disconnect(DisconnectReason.GRACEFUL)
    line.run(5.0)
    assert [hello.initial_state for hello in line.said("handshake")] == [None, None]


def test_it_is_a_source_of_merged_rooms() -> None:
    merged = MergedRooms()
    session = PulseSession("::1", address=identity().address, link=merged.new_link())
    assert (session.room, session.link.link, session.where) == ("pulse", 1, "[::1]:7777")
    for kind in (Signing, RealmFollowing, Placing, Emoting):
        assert isinstance(session, kind)
    session.receive(ClockSet(unix_offset=1.0), now=0.0)
    merged.attach(session, now=0.0)
    (opening,) = merged.commands()
    assert isinstance(opening, OpenDatagrams)
