"""Packets in a room: whose they are, who gets them, and when."""

from __future__ import annotations

import pytest
from rigs.rooms.house import LOSSY, OFFER, RELIABLE, Rooms

from dcl_comms_core import Limits
from dcl_comms_core.proto import livekit


def test_a_packet_goes_to_all_others_with_its_sender():
    rig = Rooms()
    alice, bob, carol = rig.enter("alice", "bob", "carol")
    alice.send(b"hello", topic="t", sequence=1, participant_identity="somebody", user={"participant_sid": "PA_x"})
    for one in (bob, carol):
        ((channel, packet),) = one.packets()
        assert channel == RELIABLE
        assert (packet.kind, packet.sequence) == (livekit.DataKind.RELIABLE, 1)
        assert (packet.participant_identity, packet.participant_sid) == ("alice", packet.user.participant_sid)
        assert packet.participant_sid.startswith("PA_")
        assert (packet.user.payload, packet.user.topic, packet.user.participant_identity) == (b"hello", "t", "alice")
    assert alice.packets() == []
    assert rig.counters["forwarded"] == 1


def test_a_lossy_packet_goes_by_the_lossy_channel():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    alice.send(b"quick", channel=LOSSY, sequence=1)
    ((channel, packet),) = bob.packets()
    assert (channel, packet.kind) == (LOSSY, livekit.DataKind.LOSSY)
    alice.send(b"again", channel=LOSSY, sequence=1)
    assert bob.payloads() == [b"again"], "numbers count on the other channel"


def test_each_number_counts_once():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    for number in (1, 2, 2, 1, 100, 50, 0, 0, 101):
        alice.send(str(number).encode(), sequence=number)
    assert bob.payloads() == [b"1", b"2", b"100", b"0", b"0", b"101"]


def test_who_is_addressed_gets_it_and_nobody_else():
    rig = Rooms()
    alice, bob, carol = rig.enter("alice", "bob", "carol")
    dave, sid = rig.join("dave"), ""
    sid = dave.sid
    dave.arrive()
    alice.send(b"1", destination_identities=["bob", "bob", "nobody", "alice"])
    alice.send(b"2", user={"destination_identities": ["bob"]})
    alice.send(b"3", destination_identities=["bob"], user={"destination_sids": [sid, "PA_x"]})
    alice.send(b"4", user={"destination_sids": [sid]})
    alice.send(b"5", destination_identities=["dave"], user={"destination_sids": [sid]})
    alice.send(b"6", destination_identities=["nobody"])
    packets = [packet for _, packet in bob.packets()]
    assert [packet.user.payload for packet in packets] == [b"1", b"2", b"3"]
    assert packets[1].destination_identities == packets[1].user.destination_identities == ["bob"]
    assert dave.payloads() == [b"3", b"4", b"5"]
    assert carol.payloads() == []
    assert rig.counters["forwarded"] == 5


def test_who_may_not_send_is_not_heard():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    (muted,) = rig.enter("muted", canPublishData=False)
    muted.send(b"x")
    rig.enter("unsaid", canPublish=False, canPublishData=None)[0].send(b"x")
    assert alice.payloads() == bob.payloads() == []
    (free,) = rig.enter("free", canPublish=False, canPublishData=True)
    free.send(b"y")
    assert alice.payloads() == [b"y"]


def test_who_is_hidden_has_no_identity():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    (ghost,) = rig.enter("ghost", hidden=True)
    ghost.send(b"boo")
    ((_, packet),) = alice.packets()
    assert (packet.participant_identity, packet.user.participant_identity) == ("", "")
    assert packet.participant_sid


def test_a_nonce_counts_once():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    nonce = bytes(range(16))
    for number in range(2):
        alice.send(b"same %d" % number, user={"nonce": nonce})
    bob.send(b"his", user={"nonce": nonce})
    alice.send(b"short", user={"nonce": b"1"})
    alice.send(b"short", user={"nonce": b"1"})
    assert bob.payloads() == [b"same 0", b"short", b"short"]
    assert alice.payloads() == []
    for number in range(100):
        alice.send(b"%d" % number, user={"nonce": number.to_bytes(16)})
    bob.packets()
    alice.send(b"forgotten", user={"nonce": nonce})
    assert bob.payloads() == [b"forgotten"]


def test_what_is_no_packet_of_a_user_is_passed_on_all_the_same():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    alice.happens(("data", RELIABLE, b"\x9a\x01\x02hi"))
    ((_, packet),) = bob.packets()
    assert packet.user is None
    assert packet.participant_identity == "alice"
    assert bytes(packet._unknown_fields) == b"\x9a\x01\x02hi"


def test_garbage_and_other_channels_are_let_go():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    alice.happens(("data", RELIABLE, b"\xff"), ("data", RELIABLE, None), ("data", 7, b""), ("open", 7, "_data_track"))
    alice.happens(("data", 7, b"track"), ("open", None, "_lossy"), ("open", 8, None), ("ice-completed",))
    assert bob.packets() == []
    assert rig.server.rooms["plaza"] == ("alice", "bob")


# --- receivers that are not ready, or slow


def test_reliable_packets_wait_for_who_is_joining():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    alice.send(b"before", sequence=1)
    bob = rig.join("bob")
    alice.send(b"one", sequence=2)
    alice.send(b"lossy", channel=LOSSY)
    alice.send(b"two")
    assert bob.packets() == []
    bob.arrive()
    alice.send(b"three", sequence=3)
    assert bob.payloads() == [b"one", b"two", b"three"]
    assert rig.counters["dropped"] == 1


def test_no_more_than_may_wait_for_him():
    rig = Rooms(limits=Limits(server_early_bytes=1_000))
    (alice,) = rig.enter("alice")
    bob = rig.join("bob")
    for number in range(20):
        alice.send(b"%02d" % number + bytes(200))
    bob.arrive()
    assert [payload[:2] for payload in bob.payloads()] == [b"17", b"18", b"19"]
    assert rig.counters["dropped"] == 17


def test_a_packet_before_both_channels_are_open_announces_its_sender():
    rig = Rooms()
    (alice,) = rig.enter("alice")
    bob = rig.join("bob").prove()
    bob.happens(("open", RELIABLE, "_reliable"))
    assert alice.updates() == []
    bob.send(b"early", sequence=1)
    assert [one.identity for one in alice.updates()] == ["bob"]
    assert alice.payloads() == [b"early"]


def test_a_slow_receiver_holds_nobody_up_and_ends_where_too_much_waits():
    rig = Rooms(limits=Limits(server_room_bytes=10_000, server_lossy_bytes=2_000))
    alice, bob, carol = rig.enter("alice", "bob", "carol")
    bob.peer.room = 0
    for number in range(8):
        alice.send(b"%d" % number + bytes(1_000))
        alice.send(b"%d" % number + bytes(1_000), channel=LOSSY)
    assert len(carol.packets()) == 16
    assert bob.packets() == []
    bob.peer.room = 5_500
    bob.datagram()
    assert [packet.user.payload[:1] for _, packet in bob.packets()] == [b"0", b"1", b"2", b"3", b"4"]
    bob.peer.room = 1_000_000
    alice.send(b"8", destination_identities=["bob"])
    sent = [(channel, packet.user.payload[:1]) for channel, packet in bob.packets()]
    assert sent == [(RELIABLE, b"5"), (RELIABLE, b"6"), (RELIABLE, b"7"), (RELIABLE, b"8"), (LOSSY, b"7")]
    bob.peer.room = 0
    carol.take()
    for number in range(10):
        alice.send(b"%d" % number + bytes(1_000))
    leave = bob.leave_told()
    assert (leave.action, leave.can_reconnect) == (livekit.LeaveAction.RECONNECT, True)
    assert [one.state for one in carol.updates()] == [livekit.ParticipantState.DISCONNECTED]
    assert rig.counters["overrun"] == 1
    assert "bob" not in rig.server.rooms["plaza"]


def test_more_than_is_given_at_once_goes_all_the_same():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    bob.peer.room = 0
    for _ in range(150):
        alice.send(b"x")
    bob.peer.room = 1_000_000
    bob.datagram()
    assert len(bob.packets()) == 150


def test_a_message_that_is_too_long_for_somebody_is_only_not_for_him():
    rig = Rooms()
    short = livekit.SessionDescription(type="offer", sdp=OFFER + "a=max-message-size:300\r\n")
    alice, bob = rig.enter("alice", "bob")
    carol = rig.join("carol", parameters={"publisher_offer": short}).arrive()
    alice.send(bytes(400))
    alice.send(b"short")
    assert len(bob.packets()) == 2
    assert carol.payloads() == [b"short"]


def test_who_stops_receiving_gets_no_more():
    rig = Rooms()
    alice, bob = rig.enter("alice", "bob")
    bob.happens(("close", LOSSY))
    alice.send(b"waits")
    assert bob.packets() == []
    bob.happens(("open", 2, "_lossy"))
    assert bob.payloads() == [b"waits"]


@pytest.mark.parametrize("fault", ["send", "receive", "handle_timeout"])
def test_a_peer_that_fails_ends_the_stay_of_one(fault: str):
    rig = Rooms()
    alice, bob, carol = rig.enter("alice", "bob", "carol")
    bob.peer.faults[fault] = RuntimeError("")
    bob.peer.wakes = None if fault != "handle_timeout" else rig.now
    if fault == "send":
        alice.send(b"x")
    else:
        bob.peer.faults.pop("receive", None) if fault == "handle_timeout" else None
        bob.datagram()
        rig.pass_time(0.5)
    assert bob.leave_told().reason is livekit.DisconnectReason.STATE_MISMATCH
    assert bob.leave_told().action is livekit.LeaveAction.RECONNECT
    assert rig.server.rooms["plaza"] == ("alice", "carol")
    assert carol.updates()[-1].disconnect_reason is livekit.DisconnectReason.STATE_MISMATCH
    assert rig.counters["failed"] == 1
    bob.datagram()
    alice.send(b"y")
    assert carol.payloads()[-1] == b"y"
