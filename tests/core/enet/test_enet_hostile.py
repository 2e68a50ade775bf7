"""Whoever sends datagrams that he should not: nothing raises, nothing grows, everything is counted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.enet import Network

from dcl_comms_core.enet import EnetConnected, EnetEnd, EnetHost, EnetMessage, wire
from dcl_comms_core.limits import Limits
from dcl_comms_core.states import EnetState

FLAG = 0x8000


def knock(number: int, **terms: int) -> bytes:
    asked = wire.Terms(0, 255, 255, 1_280, 65_536, 3, 0, 0, 5_000, 2, 2, number.to_bytes(4, "big"))._replace(**terms)
    return wire.header(wire.NOBODY, 1, FLAG) + wire.connect(1, asked, 0)


def test_an_address_that_is_not_proved_gets_no_more_bytes_than_came_from_it():
    host = EnetHost(entropy=1)
    sent = got = 0
    now = 1.0
    for turn in range(400):
        now += 0.05
        if turn % 40 == 0:
            datagram = knock(9)
            host.receive(datagram, ("victim", 1), now=now)
            got += len(datagram)
        if (deadline := host.deadline()) is not None and deadline <= now:
            host.handle_timeout(now)
        sent += sum(len(datagram) for _, datagram in host.datagrams(now=now))
        assert sent <= got
    assert sent > 48
    assert host.events() == []
    assert host.counts.unproved
    assert host.counts.repeated


def test_a_flood_of_strangers_leaves_room_for_who_is_real():
    limits = Limits(enet_unproved_peers=8)
    line = Network(limits=limits)
    for number in range(200):
        line.host.receive(knock(number), (f"stranger {number}", 1), now=line.now)
        assert len(line.host) <= 8
    party, peer = line.connected()
    assert line.host.counts.unproved >= 192
    line.run(6.0)
    assert list(line.host.peers) == [peer]
    assert party.client.peer.open


def test_a_host_that_is_full_says_nothing():
    line = Network(limits=Limits(enet_peers=2))
    line.connected()
    line.connected()
    third = line.client()
    third.client.connect(now=line.now)
    line.run(2.0)
    assert third.client.state is EnetState.CONNECTING
    assert (len(line.host), line.bytes_to.get(third.address)) == (2, None)
    assert line.host.counts.refused


def test_one_machine_has_so_many_connections():
    line = Network(limits=Limits(enet_address_peers=2))
    line.connected(machine="m")
    party, _peer = line.connected(machine="m")
    third = line.client(machine="m")
    third.client.connect(now=line.now)
    line.run(1.0)
    assert third.client.state is EnetState.CONNECTING
    line.connected(machine="n")
    party.client.disconnect()
    line.until(lambda: third.client.peer.open)
    host = EnetHost(entropy=1)
    host.receive(knock(1), "no tuple", now=1.0)
    host.receive(knock(2), (), now=1.0)
    assert len(host) == 2


def test_places_are_used_in_turn():
    host = EnetHost(entropy=1)
    host.receive(knock(0), "stays", now=1.0)
    (first,) = host.peers
    for number in range(1, 4_200):
        host.receive(knock(number), "goes", now=1.0)
        (last,) = [peer for peer in host.peers if peer is not first]
        places = [wire.read(datagram, FLAG).commands[0].fields[0] for _, datagram in host.datagrams(now=1.0)]
        assert len(set(places)) == len(places) > 0
        last.reset()
        host.datagrams(now=1.0)
    assert list(host.peers) == [first]
    assert host.counts.unproved == 0


def test_who_knows_nothing_of_enet_is_not_answered():
    host = EnetHost(entropy=1)
    for data in (
        wire.header(wire.NOBODY, 1, FLAG),
        wire.header(wire.NOBODY, 1, FLAG) + wire.ping(1),
        # A CONNECT that does not want to be acknowledged.
        wire.header(wire.NOBODY, 1, FLAG) + bytes([wire.CONNECT]) + knock(1)[5:],
        wire.header(77, 1, FLAG) + wire.ping(1),
    ):
        host.receive(data, "a", now=1.0)
    assert host.counts.foreign == 4
    assert host.datagrams(now=1.0) == []


def test_terms_that_can_not_be_are_brought_into_bounds():
    host = EnetHost(entropy=1)
    host.receive(knock(1, mtu=0, window=0, channels=0, peer_id=0xFFFF, incoming_session=9), "a", now=1.0)
    host.receive(knock(2, mtu=1 << 31, window=1 << 31, channels=1 << 31), "b", now=1.0)
    one, other = host.peers
    assert (one.mtu, one.channels, other.mtu, other.channels) == (576, 1, 1_280, 3)
    assert len(host.datagrams(now=1.0)) == 2


def test_a_stranger_can_not_end_a_connection_that_he_does_not_see():
    line = Network()
    party, peer = line.connected()
    line.run(2.0)
    taken = 0
    for number in range(0, 65_536, 17):
        for session in range(4):
            datagram = wire.header(session << 12, None, FLAG) + wire.disconnect(number, 1, wants_ack=False)
            party.client.receive(datagram, now=line.now)
            if not party.client.peer.open:
                taken += 1
                party, peer = line.connected()
                line.run(2.0)
    # One in 16,384 guesses is right.
    assert taken <= 1
    assert party.client.counts.implausible + party.client.counts.foreign > 3_000
    assert peer.open


def test_before_it_is_answered_a_client_hears_nothing_else():
    line = Network(loss=1.0)
    party = line.client()
    party.client.connect(now=line.now)
    line.turn()
    terms = wire.Terms(5, 0, 0, 1_280, 65_536, 3, 0, 0, 5_000, 2, 2, b"????")
    for command in (
        wire.disconnect(1, 1, wants_ack=True),
        wire.reliable(0, 1, b"x"),
        wire.verify(1, terms),
        wire.acknowledge(255, 1, 0),
    ):
        party.client.receive(wire.header(0, 1, FLAG) + command, now=line.now)
    party.client.receive(wire.header(3, 1, FLAG) + wire.ping(1), now=line.now)
    assert (party.client.state, party.client.counts.wrong, party.client.counts.foreign) == (EnetState.CONNECTING, 4, 1)
    assert party.client.events() == []


def test_an_address_is_proved_by_the_time_that_was_sent_to_it_and_by_nothing_else():
    host = EnetHost(entropy=1)
    host.receive(knock(1), "a", now=1.0)
    ((_, answer),) = host.datagrams(now=1.0)
    read = wire.read(answer, FLAG)
    (verify,) = read.commands
    place = verify.fields[0]
    for command in (
        wire.acknowledge(255, 1, read.sent_time + 1 & 0xFFFF),
        wire.acknowledge(255, 2, read.sent_time),
        wire.acknowledge(0, 1, read.sent_time),
        wire.reliable(0, 1, b"x"),
        wire.ping(2),
    ):
        host.receive(wire.header(place, 1, FLAG) + command, "a", now=1.0)
    host.receive(wire.header(place, 1, FLAG) + wire.acknowledge(255, 1, read.sent_time), "b", now=1.0)
    assert (host.events(), host.counts.wrong, host.counts.foreign) == ([], 5, 1)
    host.receive(wire.header(place, 1, FLAG) + wire.acknowledge(255, 1, read.sent_time), "a", now=1.0)
    (event,) = host.events()
    assert isinstance(event, EnetConnected)


def test_control_commands_from_nowhere_change_nothing():
    line = Network()
    party, peer = line.connected()
    line.run(1.0)
    head = wire.header(party.client.peer.sessions[0] << 12, 1, FLAG)
    for command in (
        wire.bandwidth(9_000, 1, 1),
        wire.reliable(3, 1, b"no such channel"),
        wire.unreliable(3, 1, 1, b""),
        wire.unsequenced(3, 1, b""),
        wire.fragment(3, 1, wire.Fragment(1, 2, 0, 700, 0), bytes(600), wants_ack=True),
        wire.fragment(3, 1, wire.Fragment(1, 2, 0, 700, 0), bytes(600), wants_ack=False),
        wire.connect(1, wire.Terms(0, 255, 255, 1, 1, 1, 0, 0, 0, 0, 0, b"1234"), 0),
    ):
        party.client.receive(head + command, now=line.now)
    assert party.client.counts.wrong == 7
    assert party.client.peer.bandwidth == (0, 0)
    party.client.receive(head + wire.acknowledge(0, 99, 1) + wire.acknowledge(9, 99, 1), now=line.now)
    assert party.client.counts.repeated >= 2
    line.run(1.0)
    assert peer.open


def test_what_the_other_side_says_of_its_line_is_kept():
    line = Network()
    party, _peer = line.connected()
    line.run(0.1)
    head = wire.header(party.client.peer.sessions[0] << 12, 1, FLAG)
    party.client.receive(head + wire.bandwidth(2, 5, 6), now=line.now)
    assert party.client.peer.bandwidth == (5, 6)
    party.client.receive(head + bytes.fromhex("8bff0003 00000001 00000002 00000003"), now=line.now)
    party.client.receive(head + wire.bandwidth(2, 7, 8), now=line.now)
    acknowledged = [
        command.fields[0]
        for datagram in party.client.datagrams(now=line.now)
        for command in wire.read(datagram, FLAG).commands
        if command.kind == wire.ACKNOWLEDGE
    ]
    assert acknowledged == [2, 3, 2]


def test_a_time_that_can_not_be_is_no_round_trip():
    line = Network()
    party, _peer = line.connected()
    line.run(0.1)
    client = party.client
    line.loss = 1.0
    client.send(b"x")
    client.datagrams(now=line.now)
    line.now = client.deadline()
    client.handle_timeout(line.now)
    (datagram,) = client.datagrams(now=line.now)
    read = wire.read(datagram, FLAG)
    (sent,) = [command for command in read.commands if command.kind == wire.SEND_RELIABLE]
    before = client.peer.round_trip.seconds
    head = wire.header(client.peer.sessions[0] << 12, None, FLAG)
    client.receive(head + wire.acknowledge(0, sent.number, read.sent_time + 100 & 0xFFFF), now=line.now)
    assert client.peer.round_trip.seconds == before
    assert client.peer.queued_bytes == 0


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_whatever_comes_costs_no_more_than_it_is(data):
    line = Network(limits=Limits(enet_waiting_bytes=20_000))
    party, peer = line.connected()
    line.run(0.1)
    came = 0
    for _ in range(data.draw(st.integers(1, 30))):
        datagram = data.draw(hostile(party.client.peer.sessions[0]))
        came += len(datagram)
        party.client.receive(datagram, now=line.now)
        assert party.client.peer.waiting_bytes <= 20_000 + 2 * 65_536
    told = sum(len(event.data) for event in party.client.events() if isinstance(event, EnetMessage))
    assert told <= came
    assert sum(map(len, party.client.datagrams(now=line.now))) <= came + 4_096
    line.run(2.0)
    assert peer.state in (EnetState.CONNECTED, EnetState.CLOSED)
    ends = [event.end for event in line.ends()]
    assert ends in ([], [EnetEnd.TIMEOUT], [EnetEnd.REMOTE])


@st.composite
def hostile(draw: st.DrawFn, session: int) -> bytes:
    """A datagram that is a little wrong, or not at all."""
    number = st.one_of(st.integers(0, 40), st.integers(0, 0xFFFF))
    channel = st.sampled_from([0, 1, 2, 3, 255])
    payload = st.one_of(st.binary(max_size=20), st.integers(0, 1_200).map(bytes))
    which = st.builds(
        wire.Fragment,
        start=number,
        pieces=st.one_of(st.integers(0, 8), st.integers(0, 0xFFFF_FFFF)),
        which=st.one_of(st.integers(0, 8), st.integers(0, 0xFFFF_FFFF)),
        total=st.one_of(st.integers(0, 5_000), st.integers(0, 0xFFFF_FFFF)),
        offset=st.one_of(st.integers(0, 5_000), st.integers(0, 0xFFFF_FFFF)),
    )
    command = st.one_of(
        st.builds(wire.reliable, channel, number, payload),
        st.builds(wire.unreliable, channel, number, number, payload),
        st.builds(wire.unsequenced, channel, number, payload),
        st.builds(lambda *a, ack: wire.fragment(*a, wants_ack=ack), channel, number, which, payload, ack=st.booleans()),
        st.builds(wire.acknowledge, channel, number, number),
        st.builds(wire.ping, number),
        st.builds(wire.bandwidth, number, number, number),
        st.builds(lambda n, d, a: wire.disconnect(n, d, wants_ack=a), number, number, st.booleans()),
        st.binary(max_size=30),
    )
    head = wire.header(session << 12, draw(number), FLAG)
    return (head + b"".join(draw(st.lists(command, max_size=5))))[:2_000]
