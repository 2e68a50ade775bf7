"""Datagrams byte by byte: those that were seen between real parties, and what can't be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcl_comms_core.enet import FORK_FLAG, STOCK_FLAG, EnetClient, EnetHost, EnetOptions, wire
from dcl_comms_core.errors import LocalProtocolError

CONNECT = (
    "4fff 00b3 82ff0001 0000 ffff 00000500 00010000 00000003 00000000 00000000 00001388 00000002 00000002"
    "c053029a 00000007"
)
VERIFY = "4000 0065 83ff0001 0000 0000 00000500 00010000 00000003 00000000 00000000 00001388 00000002 00000002 c053029a"
"""Of the fork, as seen on loopback."""


def test_a_connect_as_it_was_seen():
    read = wire.read(bytes.fromhex(CONNECT), FORK_FLAG)
    (command,) = read.commands
    assert (read.peer_id, read.session, read.sent_time, read.whole) == (wire.NOBODY, 0, 0xB3, True)
    assert (command.kind, command.acknowledged, command.channel, command.number) == (wire.CONNECT, True, 255, 1)
    terms = wire.Terms(*command.fields[:-1])
    assert terms == wire.Terms(0, 255, 255, 1280, 65536, 3, 0, 0, 5000, 2, 2, bytes.fromhex("c053029a"))
    assert command.fields[-1] == 7
    assert wire.header(wire.NOBODY, 0xB3, FORK_FLAG) + wire.connect(1, terms, 7) == bytes.fromhex(CONNECT)


def test_an_answer_as_it_was_seen():
    read = wire.read(bytes.fromhex(VERIFY), FORK_FLAG)
    (command,) = read.commands
    assert (read.peer_id, command.kind) == (0, wire.VERIFY_CONNECT)
    terms = wire.Terms(*command.fields)
    assert (terms.peer_id, terms.incoming_session, terms.connect_id) == (0, 0, bytes.fromhex("c053029a"))
    assert wire.header(0, 0x65, FORK_FLAG) + wire.verify(1, terms) == bytes.fromhex(VERIFY)


def test_messages_as_they_were_seen():
    data = (
        bytes.fromhex("4000 00b3 01ff0001 0001 0065 86000001 0005")
        + b"hello"
        + bytes.fromhex("07010000 0001 0003")
        + b"in1"
    )
    read = wire.read(data, FORK_FLAG)
    assert read.commands == [
        wire.Command(wire.ACKNOWLEDGE, False, 255, 1, (1, 0x65), b""),
        wire.Command(wire.SEND_RELIABLE, True, 0, 1, (5,), b"hello"),
        wire.Command(wire.SEND_UNRELIABLE, False, 1, 0, (1, 3), b"in1"),
    ]
    made = wire.acknowledge(255, 1, 0x65) + wire.reliable(0, 1, b"hello") + wire.unreliable(1, 0, 1, b"in1")
    assert wire.header(0, 0xB3, FORK_FLAG) + made == data


def test_a_refusal_as_it_was_seen():
    data = bytes.fromhex("0000 44ff0002 00000007")
    assert wire.read(data, FORK_FLAG).commands == [wire.Command(wire.DISCONNECT, False, 255, 2, (7,), b"")]
    assert wire.header(0, None, FORK_FLAG) + wire.disconnect(2, 7, wants_ack=False) == data


def test_bandwidth_as_it_was_seen():
    data = bytes.fromhex("4000 aac7 8aff0002 00000000 00000000")
    assert wire.read(data, FORK_FLAG).commands == [wire.Command(wire.BANDWIDTH_LIMIT, True, 255, 2, (0, 0), b"")]
    assert wire.header(0, 0xAAC7, FORK_FLAG) + wire.bandwidth(2, 0, 0) == data


def test_the_first_datagram_of_a_client_is_a_connect():
    client = EnetClient(entropy=3, options=EnetOptions(sent_time_flag=FORK_FLAG))
    client.connect(now=5.0, data=7)
    (datagram,) = client.datagrams(now=5.0)
    ours, seen = bytearray(datagram), bytearray(bytes.fromhex(CONNECT))
    # Times and connect ids are anybody's own.
    ours[2:4] = seen[2:4]
    ours[44:48] = seen[44:48]
    assert ours == seen


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80", b"\x80\x00\x00", b"\xc0\x00\x00\x00"],
    ids=["empty", "half a header", "no time", "compressed"],
)
def test_what_has_no_header(data):
    assert wire.read(data, STOCK_FLAG) is None
    host, client = EnetHost(entropy=1), EnetClient(entropy=1)
    host.receive(data, "a", now=1.0)
    client.receive(data, now=1.0)
    assert (host.counts.malformed, client.counts.malformed) == (1, 1)
    assert host.datagrams(now=1.0) == client.datagrams(now=1.0) == []


@pytest.mark.parametrize(
    "rest",
    ["86", "8d000001", "8f000001 0000", "04ff0001 00", "86000001 0005 61", "08000001 0001 0009 00000001"],
    ids=["half a command", "unknown", "unknown too", "short", "short payload", "short fragment"],
)
def test_what_came_before_something_that_can_not_be_read_counts(rest):
    data = wire.header(0, 1, STOCK_FLAG) + wire.ping(4) + bytes.fromhex(rest)
    read = wire.read(data, STOCK_FLAG)
    assert [command.kind for command in read.commands] == [wire.PING]
    assert not read.whole


def test_who_wants_an_acknowledgement_says_when():
    data = wire.header(0, None, STOCK_FLAG) + wire.ping(4)
    assert wire.read(data, STOCK_FLAG) == wire.Datagram(0, 0, None, [], False)


@given(st.binary(max_size=200), st.sampled_from([STOCK_FLAG, FORK_FLAG]))
def test_nothing_raises(data, flag):
    read = wire.read(data, flag)
    assert read is None or sum(len(command.payload) for command in read.commands) <= len(data)


@pytest.mark.parametrize(
    "settings",
    [
        {"sent_time_flag": 0x2000},
        {"mtu": 575},
        {"mtu": 4_097},
        {"channels": 0},
        {"channels": 256},
        {"ping_seconds": 0.0},
        {"first_round_trip": 0.0},
        {"least_resend": -1.0},
        {"timeout_least": 31.0},
        {"timeout_least": 0.0},
    ],
)
def test_options_that_can_not_be(settings):
    with pytest.raises(LocalProtocolError):
        EnetOptions(**settings)
