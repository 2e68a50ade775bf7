"""Connections of ours with each other: beginning, messages, silence, the three ways to leave."""

from __future__ import annotations

import pytest
from rigs.core.enet import Network

from dcl_comms_core.enet import (
    FORK_FLAG,
    Delivery,
    EnetClient,
    EnetConnected,
    EnetDisconnected,
    EnetEnd,
    EnetHost,
    EnetMessage,
    EnetOptions,
)
from dcl_comms_core.errors import LocalProtocolError, PacketTooLarge, SendQueueFull
from dcl_comms_core.limits import Limits
from dcl_comms_core.states import EnetState, Timer

SIZES = [0, 1, 1_243, 1_244, 1_245, 4_000, 65_536]


@pytest.mark.parametrize("flag", [0x8000, FORK_FLAG])
@pytest.mark.parametrize("seed", range(6))
def test_messages_of_any_size_both_ways(seed, flag):
    line = Network(
        seed=seed,
        loss=0.2 if seed else 0.0,
        repeats=0.1 if seed else 0.0,
        delay=(0.005, 0.05) if seed else (0.01, 0.01),
        options=EnetOptions(sent_time_flag=flag),
    )
    party, peer = line.connected()
    messages = [bytes([place]) * size for place, size in enumerate(SIZES * 2)]
    for message in messages:
        party.client.send(message)
        peer.send(message, channel=1)
    line.until(lambda: line.messages() == party.messages() == messages)
    assert {event.channel for event in line.events[1:]} == {0}
    assert {event.channel for event in party.events[1:]} == {1}
    line.until(lambda: peer.queued_bytes == party.client.peer.queued_bytes == 0)
    if not seed:
        assert 0.015 < party.client.peer.round_trip.seconds < 0.03


@pytest.mark.parametrize("delivery", list(Delivery))
@pytest.mark.parametrize("size", [1, 1_244, 1_245, 20_000])
def test_what_waits_is_bounded_pieces_and_all(size, delivery):
    line = Network(limits=Limits(enet_send_bytes=68_000), options=EnetOptions(mtu=576))
    party, _peer = line.connected()
    sent = 0
    with pytest.raises(SendQueueFull):
        while True:
            party.client.send(bytes(size), delivery=delivery)
            sent += 1
            assert party.client.peer.queued_bytes <= 68_000
    assert sent > 1
    line.run(5.0)
    party.client.send(bytes(size), delivery=delivery)


def test_data_goes_with_the_beginning_and_with_the_end():
    line = Network()
    party = line.client()
    party.client.connect(now=line.now, data=7)
    line.run(0.5)
    assert line.events == [EnetConnected(peer=line.events[0].peer, data=7)]
    assert party.events == [EnetConnected(peer=party.client.peer, data=0)]
    line.events[0].peer.disconnect(9)
    line.run(0.5)
    assert party.events[1:] == [EnetDisconnected(peer=party.client.peer, end=EnetEnd.REMOTE, data=9)]
    assert [(event.end, event.data) for event in line.ends()] == [(EnetEnd.LOCAL, 0)]
    assert (len(line.host), party.client.state, party.client.deadline()) == (0, EnetState.CLOSED, None)
    assert party.client.deadline_reason is None


@pytest.mark.parametrize("delivery", [Delivery.UNRELIABLE, Delivery.UNSEQUENCED])
def test_unreliable_messages_on_a_good_line(delivery):
    line = Network()
    party, _peer = line.connected()
    messages = [bytes([place]) * size for place, size in enumerate(SIZES)]
    for message in messages:
        party.client.send(message, channel=2, delivery=delivery)
    line.run(1.0)
    assert sorted(line.messages()) == sorted(messages)
    told = {event.delivery for event in line.events if isinstance(event, EnetMessage) and len(event.data) < 1_245}
    assert told == {delivery}


def test_unreliable_messages_on_a_bad_line_never_go_back():
    line = Network(seed=3, loss=0.3, repeats=0.3, delay=(0.0, 0.1))
    party, _peer = line.connected()
    for number in range(300):
        party.client.send(number.to_bytes(2, "big"), channel=1, delivery=Delivery.UNRELIABLE)
        party.client.send(number.to_bytes(2, "big"), channel=2, delivery=Delivery.UNSEQUENCED)
        if number % 50 == 0:
            party.client.send(b"R" + bytes([number // 50]), channel=1)
        line.run(0.01)
    line.run(5.0)
    heard = [event for event in line.events if isinstance(event, EnetMessage)]
    sequenced = [event.data for event in heard if event.delivery is Delivery.UNRELIABLE]
    assert 100 < len(sequenced) < 300
    assert sequenced == sorted(set(sequenced))
    loose = [event.data for event in heard if event.delivery is Delivery.UNSEQUENCED]
    assert 150 < len(loose) == len(set(loose)) < 300
    assert [event.data for event in heard if event.delivery is Delivery.RELIABLE] == [
        b"R" + bytes([n]) for n in range(6)
    ]
    assert line.host.counts.late
    assert line.host.counts.repeated


def test_numbers_of_unreliable_messages_begin_anew_after_a_reliable_one():
    line = Network()
    party, _peer = line.connected()
    for _ in range(700):
        for _ in range(100):
            party.client.send(b"u", delivery=Delivery.UNRELIABLE)
        line.run(0.02)
    line.run(1.0)
    heard = [event.delivery for event in line.events if isinstance(event, EnetMessage)]
    assert len(heard) == 70_000
    assert heard.count(Delivery.RELIABLE) == 1


def test_silence_is_pinged_and_a_line_that_is_cut_noticed():
    line = Network()
    party, _peer = line.connected()
    line.run(10.0)
    assert party.client.deadline_reason in (Timer.PING, Timer.RESEND)
    assert party.client.peer.open
    line.loss = 1.0
    line.run(5.0)
    assert not line.ends()
    line.run(10.0)
    assert [event.end for event in (*line.ends(), party.events[-1])] == [EnetEnd.TIMEOUT, EnetEnd.TIMEOUT]


def test_who_acknowledges_everything_but_one_command_is_given_up():
    line = Network(limits=Limits(enet_packet_bytes=1_000))
    party, _peer = line.connected(limits=Limits())
    party.client.send(bytes(1_001), channel=1)
    seconds = 0
    while party.client.peer.open:
        party.client.send(b"small")
        line.run(1.0)
        seconds += 1
    assert seconds in (30, 31)
    assert party.events[-1].end is EnetEnd.TIMEOUT
    assert line.messages() == [b"small"] * seconds
    assert line.host.counts.wrong


def test_leaving_later_lets_everything_arrive():
    line = Network(seed=5, loss=0.2, delay=(0.01, 0.03))
    party, peer = line.connected()
    for number in range(100):
        party.client.send(bytes([number]) * 1_000)
    party.client.peer.disconnect_later(3)
    with pytest.raises(LocalProtocolError, match="leaving later"):
        party.client.send(b"too late")
    line.until(line.ends)
    assert line.messages() == [bytes([number]) * 1_000 for number in range(100)]
    assert line.ends()[0].data == 3
    line.until(lambda: party.client.state is EnetState.CLOSED)
    assert peer.state is EnetState.CLOSED


def test_leaving_later_with_nothing_to_say_is_leaving():
    line = Network()
    party, _peer = line.connected()
    line.run(0.1)
    party.client.peer.disconnect_later(4)
    assert party.client.state is EnetState.LEAVING
    line.run(0.2)
    assert line.ends()[0].data == 4
    party.client.peer.disconnect_later()
    party.client.peer.disconnect_now()
    party.client.disconnect()
    assert party.client.state is EnetState.CLOSED


def test_leaving_lets_go_of_what_waits():
    line = Network()
    party, _peer = line.connected()
    party.client.send(bytes(200_000)[:65_536])
    party.client.disconnect(1)
    assert party.client.peer.queued_bytes < 200
    line.run(1.0)
    assert (line.messages(), line.ends()[0].data) == ([], 1)
    # Leaving later, then now after all.
    other, _peer = line.connected()
    other.client.send(b"x")
    other.client.peer.disconnect_later(1)
    other.client.disconnect(2)
    line.run(1.0)
    assert line.ends()[-1].data == 2


def test_leaving_now_is_said_once_and_nothing_more_is_told():
    line = Network()
    party, peer = line.connected()
    peer.disconnect_now(7)
    line.run(0.5)
    assert (party.events[-1].end, party.events[-1].data) == (EnetEnd.REMOTE, 7)
    assert (line.ends(), len(line.host)) == ([], 0)
    # Where it is lost, the other side notices by silence.
    party, peer = line.connected()
    line.loss = 1.0
    peer.disconnect_now(7)
    line.turn()
    line.loss = 0.0
    line.run(10.0)
    assert party.events[-1].end is EnetEnd.TIMEOUT
    assert line.host.counts.wrong


def test_an_acknowledgement_of_leaving_that_is_lost_is_given_again():
    line = Network()
    party, peer = line.connected()
    peer.disconnect(5)
    line.turn()
    line.until(lambda: party.client.state is EnetState.CLOSED)
    line.loss = 1.0
    line.turn()
    line.loss = 0.0
    line.run(3.0)
    assert [event.end for event in line.ends()] == [EnetEnd.LOCAL]
    # Of a host the same.
    party, peer = line.connected()
    party.client.disconnect()
    line.turn()
    line.until(lambda: peer.state is EnetState.CLOSED)
    line.loss = 1.0
    line.turn()
    line.loss = 0.0
    line.run(3.0)
    assert party.events[-1].end is EnetEnd.LOCAL


def test_both_leave_at_once():
    line = Network()
    party, peer = line.connected()
    peer.disconnect(1)
    party.client.disconnect(2)
    line.run(2.0)
    assert {party.events[-1].end, line.ends()[0].end} <= {EnetEnd.REMOTE, EnetEnd.LOCAL}
    assert (party.client.state, peer.state) == (EnetState.CLOSED, EnetState.CLOSED)


def test_leaving_a_line_that_is_cut_ends_too():
    line = Network()
    party, _peer = line.connected()
    line.loss = 1.0
    party.client.disconnect()
    line.run(40.0)
    assert party.events[-1].end is EnetEnd.LOCAL


def test_nobody_answers():
    line = Network(loss=1.0)
    party = line.client()
    party.client.connect(now=line.now)
    line.run(31.0)
    assert [event.end for event in party.events] == [EnetEnd.TIMEOUT]
    party.client.connect(now=line.now)
    with pytest.raises(LocalProtocolError, match="connecting: disconnect first"):
        party.client.connect(now=line.now)
    party.client.peer.disconnect_later()
    assert party.client.events()[-1].end is EnetEnd.LOCAL
    party.client.connect(now=line.now)
    party.client.peer.disconnect_now()
    assert (party.client.events(), party.client.state) == ([], EnetState.CLOSED)
    party.client.connect(now=line.now)
    party.client.peer.reset()
    assert (party.client.events(), party.client.state) == ([], EnetState.CLOSED)
    EnetClient(entropy=1).peer.reset()


def test_sessions_go_on_from_one_connection_to_the_next():
    line = Network()
    party = line.client()
    sessions = []
    for _ in range(6):
        party.client.connect(now=line.now)
        line.until(lambda: party.client.peer.open)
        sessions.append(party.client.peer.sessions)
        line.run(0.2)
        party.client.disconnect()
        line.run(0.5)
    assert sessions == [(0, 0), (1, 1), (2, 2), (3, 3), (0, 0), (1, 1)]


def test_what_a_caller_may_not():
    line = Network(limits=Limits(enet_packet_bytes=1_000, enet_send_bytes=2_000))
    party, _peer = line.connected()
    with pytest.raises(LocalProtocolError, match="channels 0 to 2"):
        party.client.send(b"", channel=3)
    with pytest.raises(PacketTooLarge):
        party.client.send(bytes(1_001))
    party.client.send(bytes(1_000))
    with pytest.raises(SendQueueFull):
        party.client.send(bytes(1_000))
    line.run(0.5)
    party.client.send(bytes(1_000))
    for leave in ("disconnect", "disconnect_later", "disconnect_now"):
        with pytest.raises(LocalProtocolError, match="32 bits"):
            getattr(party.client.peer, leave)(-1)
    with pytest.raises(LocalProtocolError, match="connection is new"):
        EnetClient(entropy=1).send(b"")


def test_two_sides_use_the_smaller_of_what_they_can_do():
    line = Network(options=EnetOptions(channels=5))
    party, peer = line.connected(options=EnetOptions(mtu=576, channels=2))
    assert (peer.mtu, party.client.peer.mtu, peer.channels, party.client.peer.channels) == (576, 576, 2, 2)
    line.options = EnetOptions(mtu=576)
    peer.send(bytes(5_000))
    party.client.send(bytes(5_000))
    line.run(1.0)
    assert (line.messages(), party.messages()) == ([bytes(5_000)], [bytes(5_000)])


def test_a_call_too_early_changes_nothing():
    line = Network()
    party, _peer = line.connected()
    line.run(0.05)
    before = party.client.deadline()
    party.client.handle_timeout(line.now)
    line.host.handle_timeout(line.now)
    assert party.client.deadline() == before
    assert party.client.datagrams(now=line.now) == []
    assert EnetHost(entropy=1).deadline() is None
    assert EnetHost(entropy=1).datagrams(now=1.0) == []


def test_what_was_acknowledged_in_the_last_moment_is_not_sent_again():
    line = Network()
    party, _peer = line.connected()
    line.run(0.4)
    client = party.client
    client.send(b"x")
    line.turn()
    line.now = client.deadline()
    client.handle_timeout(line.now)
    for _, _, deliver in sorted(line.due):
        deliver()
    for _, datagram in line.host.datagrams(now=line.now):
        client.receive(datagram, now=line.now)
    assert client.peer.queued_bytes == 0
    assert client.datagrams(now=line.now) == []


def test_a_receiver_without_room_gets_everything_all_the_same():
    line = Network(seed=4, loss=0.3, delay=(0.01, 0.03), limits=Limits(enet_waiting_bytes=3_000))
    party, _peer = line.connected()
    messages = [bytes([number]) * 500 for number in range(60)]
    for message in messages:
        party.client.send(message)
    line.until(lambda: line.messages() == messages)
    assert line.host.counts.full


def test_datagrams_go_out_in_the_order_in_which_they_were_caused():
    line = Network()
    peers = [line.connected(machine=f"m{number}")[1] for number in range(40)]
    line.run(0.1)
    line.random.shuffle(peers)
    for peer in peers:
        peer.send(b"x")
    assert [address for address, _ in line.host.datagrams(now=line.now)] == [peer.address for peer in peers]


def test_many_at_once_are_as_one_after_the_other():
    line = Network()
    party, peer = line.connected()
    messages = [bytes([number % 256]) * (number % 70) for number in range(200)]
    # One in the middle needs pieces.
    messages[100] = bytes(5_000)
    peer.send_many(messages, channel=1)
    peer.send(b"last", channel=1)
    line.run(1.0)
    assert party.messages() == [*messages, b"last"]
    assert {event.delivery for event in party.events[1:-1]} == {Delivery.UNRELIABLE}
    assert peer.queued_bytes == 0


def test_many_at_once_go_on_when_the_numbers_are_used_up():
    line = Network()
    party, peer = line.connected()
    for _ in range(14):
        peer.send_many([b"x"] * 5_000)
        line.run(0.1)
    assert len(party.messages()) == 70_000


def test_many_at_once_have_the_limits_of_one():
    line = Network(limits=Limits(enet_packet_bytes=1_000, enet_send_bytes=20_000))
    party, peer = line.connected()
    with pytest.raises(PacketTooLarge):
        peer.send_many([b"a", bytes(1_001), b"b"])
    with pytest.raises(SendQueueFull):
        peer.send_many([bytes(900)] * 100)
    assert 10_000 < peer.queued_bytes <= 20_000
    with pytest.raises(LocalProtocolError, match="channels 0 to 2"):
        peer.send_many([b"a"], channel=3)
    line.run(0.5)
    heard = party.messages()
    assert heard[0] == b"a"
    assert heard[1:] == [bytes(900)] * (len(heard) - 1) != []
    peer.disconnect()
    with pytest.raises(LocalProtocolError, match="leaving"):
        peer.send_many([b"a"])
