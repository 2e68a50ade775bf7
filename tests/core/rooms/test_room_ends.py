"""Leaving, being lost, coming back."""

from __future__ import annotations

import pytest
from rigs.rooms.house import OFFER, Rooms, check

from dcl_comms_core.proto import livekit

Reason, Action = livekit.DisconnectReason, livekit.LeaveAction
GONE = livekit.ParticipantState.DISCONNECTED


def told_of(guest):
    return [(one.identity, one.state, one.disconnect_reason) for one in guest.updates()]


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (Reason.CLIENT_INITIATED, Reason.CLIENT_INITIATED),
        (Reason.USER_REJECTED, Reason.USER_REJECTED),
        (Reason.ROOM_DELETED, Reason.CLIENT_INITIATED),
    ],
)
def test_who_leaves_is_answered_and_others_are_told(said, seen):
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    alice.say(leave=livekit.LeaveRequest(reason=said))
    (leave,) = alice.take()
    assert leave.leave is not None
    assert (leave.leave.reason, leave.leave.action) == (Reason.CLIENT_INITIATED, Action.DISCONNECT)
    assert alice.hung_up
    assert ("close",) in alice.peer.calls
    assert told_of(bob) == [("alice", GONE, seen)]
    alice.cut()
    assert rig.server.rooms == {"plaza": ("bob",)}


def test_the_last_word_of_a_peer_goes_out():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    alice.peer.give((("udp", ("10.0.0.1", 7_882), alice.address), b"\x17bye"))
    alice.say(leave=livekit.LeaveRequest())
    assert rig.datagrams[-1] == (alice.address, b"\x17bye")


def test_a_socket_that_breaks_ends_nothing_where_datagrams_come():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    alice.cut()
    for _ in range(20):
        rig.pass_time(5.0)
        alice.datagram()
        bob.datagram()
    assert told_of(bob) == []
    bob.send(b"for her")
    assert alice.payloads() == [b"for her"]


def test_who_breaks_before_he_is_in_is_gone_at_once():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    rig.join("bob").cut()
    assert told_of(alice) == [("bob", GONE, Reason.SIGNAL_CLOSE)]


def test_who_does_not_come_in_is_given_up():
    rig = Rooms()
    bob = rig.join("bob")
    rig.pass_time(59.0)
    assert not bob.hung_up
    rig.pass_time(2.0)
    assert bob.leave_told().reason is Reason.JOIN_FAILURE
    assert rig.server.rooms == {"plaza": ()}


def test_who_is_silent_is_told_to_resume_and_then_gone():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    for _ in range(3):
        rig.pass_time(4.0)
        bob.datagram()
    assert not alice.hung_up
    rig.pass_time(4.0)
    leave = alice.leave_told()
    assert (leave.reason, leave.action, leave.can_reconnect) == (Reason.CONNECTION_TIMEOUT, Action.RESUME, True)
    assert alice.hung_up
    bob.datagram()
    assert told_of(bob) == []
    rig.pass_time(5.0)
    assert told_of(bob) == [("alice", GONE, Reason.CONNECTION_TIMEOUT)]


def test_who_is_silent_and_has_no_socket_is_gone_after_as_long():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    alice.cut()
    rig.pass_time(19.5)
    assert rig.server.rooms["plaza"] == ("alice",)
    rig.pass_time(1.0)
    assert rig.server.rooms["plaza"] == ()


def test_who_is_heard_again_stays():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    rig.pass_time(14.0)
    bob.datagram()
    rig.pass_time(2.0)
    assert alice.hung_up
    alice.datagram()
    rig.pass_time(6.0)
    bob.datagram()
    assert told_of(bob) == []
    rig.pass_time(9.5)
    rig.pass_time(11.0)
    assert rig.server.rooms["plaza"] == ()


def test_who_ended_his_connection_has_a_moment_to_say_so():
    rig = Rooms()
    alice, bob, carol = rig.enter("alice", "bob", "carol")
    alice.happens(("closed",))
    alice.datagram()
    bob.happens(("closed",))
    assert told_of(carol) == []
    alice.cut()
    assert told_of(carol) == [("alice", GONE, Reason.SIGNAL_CLOSE)]
    rig.pass_time(5.5)
    assert told_of(carol) == [("bob", GONE, Reason.CONNECTION_TIMEOUT)]
    carol.cut()
    carol.happens(("closed",))
    assert rig.server.rooms == {"plaza": ()}


def test_a_socket_can_be_cut():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    assert rig.server.cut("plaza", "alice", now=rig.now)
    rig.turn()
    assert alice.hung_up
    assert alice.take() == []
    assert not rig.server.cut("plaza", "alice", now=rig.now)
    assert not rig.server.cut("plaza", "nobody", now=rig.now)
    assert not rig.server.cut("nowhere", "alice", now=rig.now)
    assert rig.resume(alice).kinds()[0] == "reconnect"
    assert told_of(bob) == []


# --- resuming


@pytest.mark.parametrize("two", [False, True])
def test_a_resume_goes_on_where_it_was(two):
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    alice.send(b"1", sequence=1)
    alice.send(b"2", sequence=2)
    bob.packets()
    alice.cut()
    again = rig.resume(alice, two=two)
    reconnect, update, room, refresh = again.take()
    assert reconnect.reconnect is not None
    assert reconnect.reconnect.last_message_seq == 2
    assert reconnect.reconnect.server_info is not None
    assert update.update is not None
    assert [one.identity for one in update.update.participants] == ["alice", "bob"]
    assert room.room_update is not None
    assert refresh.refresh_token
    again.say(offer=livekit.SessionDescription(type="offer", sdp=OFFER, id=3))
    assert again.kinds() == ["answer"]
    again.send(b"2", sequence=2)
    again.send(b"3", sequence=3)
    assert bob.payloads() == [b"3"]
    assert told_of(bob) == []
    assert rig.counters["resumed"] == 1


def test_a_resume_while_the_old_socket_lives_closes_that():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    again = rig.resume(alice)
    assert alice.hung_up
    assert alice.take() == []
    alice.cut()
    alice.say(ping=1)
    again.say(ping=1)
    assert "pong" in again.kinds()


def test_who_was_told_to_resume_and_does_has_as_long_as_before():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    rig.pass_time(16.0)
    again = rig.resume(alice)
    assert again.kinds()[0] == "reconnect"
    rig.pass_time(14.0)
    assert not again.hung_up
    rig.pass_time(2.0)
    assert again.hung_up
    assert bob.hung_up


def test_a_resume_of_nobody_is_refused():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    alice.happens(("closed",))
    carol = rig.join("carol")
    carol.say(leave=livekit.LeaveRequest())
    for guest in (alice, carol):
        again = rig.resume(guest)
        (told,) = again.take()
        assert told.leave is not None
        assert (told.leave.reason, told.leave.action, told.leave.can_reconnect) == (
            Reason.STATE_MISMATCH, Action.RECONNECT, True,
        )  # fmt: skip
        assert again.hung_up
        again.cut()
    nobody = rig.enter("dave", room="street")[0]
    rig.api("DeleteRoom", {"room": "street"})
    assert nobody.leave_told().reason is Reason.ROOM_DELETED


# --- rooms


def test_a_room_stays_a_while_after_the_last_one_left():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    alice.say(leave=livekit.LeaveRequest())
    rig.pass_time(19.0)
    assert rig.server.rooms == {"plaza": ()}
    rig.pass_time(2.0)
    assert rig.server.rooms == {}
    assert rig.server.deadline() is None


def test_a_room_in_which_somebody_is_stays():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    alice.say(leave=livekit.LeaveRequest())
    rig.pass_time(10.0)
    (bob,) = rig.enter("bob")
    for _ in range(10):
        bob.datagram()
        rig.pass_time(4.0)
    assert rig.server.rooms == {"plaza": ("bob",)}


def test_a_token_is_given_anew_every_few_minutes():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    for _ in range(61):
        rig.pass_time(5.0)
        alice.datagram()
    (told,) = alice.take()
    assert told.refresh_token
    alice.cut()
    refusal, again = rig.ask(f"/rtc?access_token={told.refresh_token}&reconnect=true")
    assert refusal is None
    assert again.kinds()[0] == "reconnect"


def test_the_end_of_the_server_is_told():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    rig.server.close(now=rig.now)
    rig.turn()
    for one in (alice, bob):
        assert one.leave_told().reason is Reason.SERVER_SHUTDOWN
        assert one.hung_up
    rig.server.close(now=rig.now)


def test_peers_have_deadlines_of_their_own():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    alice.peer.wakes = rig.now + 1.0
    alice.datagram()
    assert rig.server.deadline() == alice.peer.wakes
    alice.peer.wakes = None
    rig.pass_time(1.5)
    assert [call[1] for call in alice.peer.calls if call[0] == "handle_timeout"] == [101.0]


def test_who_has_no_socket_is_told_nothing():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    alice.cut()
    for _ in range(61):
        rig.pass_time(5.0)
        alice.datagram()
    assert alice.take() == []
    assert rig.server.rooms["plaza"] == ("alice",)


def test_datagrams_to_one_address_go_together():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    rig.datagrams.clear()
    way, other = ("udp", ("10.0.0.1", 7_882), alice.address), ("udp", ("10.0.0.1", 7_882), ("10.0.9.9", 1))
    alice.peer.give((way, b"1"), (way, b"2"), (other, b"3"))
    alice.datagram()
    assert rig.datagrams == [(alice.address, b"1"), (alice.address, b"2")]
    rig.datagrams.clear()
    alice.prove(other[2])
    assert (other[2], b"3") in rig.datagrams, "nothing had come from there"
    bob = rig.join("bob")
    bob.prove()
    rig.datagrams.clear()
    bob.peer.give((("udp", ("10.0.0.1", 7_882), bob.address), b"1"), (way, b"2"))
    bob.datagram(check(bob.peer.name))
    assert rig.datagrams == [(bob.address, b"1")], "that is not his address"
    alice.peer.give((way, b"1"), (other, b"2"), (way, b"3"))
    rig.datagrams.clear()
    alice.datagram()
    assert rig.datagrams == [(alice.address, b"1"), (other[2], b"2"), (alice.address, b"3")]
