"""Candidates, ports and one peer connection: what a server names, and what it makes of us."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.signals.session import HERE, TCP, THERE, UDP, FakePeer, SignalRig, TwoRig, trickle

from dcl_comms_core import Limits
from dcl_comms_core.adapters.url_guard import Place
from dcl_comms_core.codec import encode
from dcl_comms_core.commands import ClosePort, OpenPort, SendDatagrams
from dcl_comms_core.inputs import LinkClosed, LinkFailed, LinkRef, PortClosed, PortOpened, SendsAcknowledged
from dcl_comms_core.livekit.candidates import read_candidate, read_trickle, without_candidates
from dcl_comms_core.livekit.envelope import envelope
from dcl_comms_core.proto import livekit
from dcl_comms_core.states import CloseReason
from dcl_comms_core.states.livekit import SignalState

S = SignalState
SIX = "candidate:3 1 udp 2130706431 fd00::1 7882 typ host"


# --- candidates


@pytest.mark.parametrize("line", [UDP, f"a={UDP}", TCP, SIX, f"{UDP} ufrag x generation 0"])
def test_candidates_that_may_be_tried(line: str) -> None:
    read = read_candidate(line, Place.PRIVATE)
    assert read is not None
    assert read.line == line.removeprefix("a=")
    assert read.tcp is (line == TCP)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "candidate:1 1 udp 1 10.0.0.1 7882",
        UDP.replace("candidate", "kandidat"),
        UDP.replace("udp", "sctp"),
        TCP.replace("passive", "active"),
        UDP.replace("7882", "0"),
        UDP.replace("7882", "65536"),
        UDP.replace("7882", "0000099999"),
        UDP.replace("7882", "7\N{SUPERSCRIPT TWO}"),
        UDP.replace("7882", "7\N{ARABIC-INDIC DIGIT TWO}"),
        UDP.replace("7882", "-1"),
        UDP.replace(THERE[0], "5f2c.local"),
        UDP.replace(THERE[0], "127.0.0.1"),
        UDP.replace(THERE[0], "169.254.169.254"),
        UDP.replace(THERE[0], "::ffff:127.0.0.1"),
        UDP + " x" * 1_000,
    ],
)
def test_candidates_that_are_not_tried(line: str) -> None:
    assert read_candidate(line, Place.PRIVATE) is None


def test_a_server_of_the_internet_leads_nowhere_else() -> None:
    assert read_candidate(UDP, Place.PUBLIC) is None
    assert read_candidate(UDP.replace(THERE[0], "8.8.8.8"), Place.PUBLIC) is not None
    assert read_candidate(UDP, Place.RESERVED) is None


@pytest.mark.parametrize("init", ["", "[]", "{", "{}", '{"candidate": 1}', '{"candidate": ""}', "[" * 100])
def test_a_trickle_without_a_candidate(init: str) -> None:
    assert read_trickle(init, Place.PRIVATE) is None


def test_descriptions_are_read_without_their_candidates() -> None:
    assert without_candidates("v=0\r\no=x\r\n") == ("v=0\r\no=x\r\n", [])
    assert without_candidates(f"v=0\r\na={UDP}\r\no=x") == ("v=0\r\no=x\r\n", [f"a={UDP}"])


def test_candidates_of_a_description_are_judged_too() -> None:
    rig = SignalRig().joined()
    bad = UDP.replace(THERE[0], "127.0.0.1")
    rig.say(answer=livekit.SessionDescription(type="answer", sdp=f"v=0\r\na={bad}\r\na={UDP}\r\n", id=1))
    assert [one.towards for one in rig.take(OpenPort)] == [THERE]
    assert ("accept_answer", "v=0\r\n") in rig.peer.calls


# --- ports


def added(peer: FakePeer) -> list[Any]:
    return [call[1:] for call in peer.calls if call[0] in {"add_local", "add_remote"}]


def test_one_port_goes_everywhere_in_its_family_and_tcp_has_its_own() -> None:
    rig = SignalRig().joined().answer()
    second = UDP.replace("7882", "7883")
    for line in (UDP, second, TCP, SIX, UDP):
        rig.say(**trickle(line))
    ports = rig.take(OpenPort)
    assert [(one.towards[0], one.tcp) for one in ports] == [(THERE[0], False), (THERE[0], True), ("fd00::1", False)]
    rig.give(PortOpened(link=ports[0].link, local=HERE))
    assert added(rig.peer) == [(HERE, "udp"), (UDP,), (second,)]
    rig.give(PortOpened(link=ports[1].link, local=("10.0.0.7", 9)))
    rig.say(**trickle(UDP.replace("7882", "7884")))
    assert added(rig.peer)[3:] == [(("10.0.0.7", 9), "tcp"), (TCP,), (UDP.replace("7882", "7884"),)]


def test_datagrams_go_by_the_port_of_their_way_those_of_one_together() -> None:
    rig = SignalRig().joined().answer().say(**trickle(TCP))
    udp, tcp = rig.take(OpenPort)
    rig.give(PortOpened(link=udp.link, local=HERE)).give(PortOpened(link=tcp.link, local=HERE))
    rig.commands.clear()
    one, other, lost = ("udp", HERE, THERE), ("tcp", HERE, THERE), ("udp", ("10.9.9.9", 1), THERE)
    rig.peer.give((one, b"1"), (one, b"2"), (other, b"3"), (lost, b"4"), (one, b"5"))
    rig.datagrams(tcp.link, b"in")
    sent = [(one.link, one.to, one.datagrams) for one in rig.take(SendDatagrams)]
    assert sent == [(udp.link, THERE, [b"1", b"2"]), (tcp.link, THERE, [b"3"]), (udp.link, THERE, [b"5"])]
    assert rig.peer.calls[-1] == ("receive", (b"in",), THERE, HERE, rig.now, "tcp")


def test_of_several_calls_the_newest_to_an_address_carries_what_goes_there() -> None:
    elsewhere = TCP.replace(" 7881 ", " 7999 ")
    rig = SignalRig().joined().answer(1).say(**trickle(TCP)).say(**trickle(elsewhere))
    local = (HERE[0], 9)
    udp, first, other = rig.take(OpenPort)
    for port in (first, other):
        rig.give(PortOpened(link=port.link, local=local))
    rig.say(**trickle(f"{TCP} generation 1"))
    (again,) = rig.take(OpenPort)

    def carriers() -> list[LinkRef]:
        ways: list[Any] = [
            ("tcp", local, first.towards),
            ("tcp", local, other.towards),
            ("tcp", local, ("fd00:0::1", 1)),
        ]
        rig.commands.clear()
        rig.peer.give(*((way, b"x") for way in ways))
        rig.datagrams(first.link, b"in")
        return [one.link for one in rig.take(SendDatagrams)]

    assert carriers() == [first.link, other.link, other.link]
    rig.give(PortOpened(link=again.link, local=local))
    assert carriers() == [again.link, other.link, again.link]
    assert udp.link not in carriers()


def test_what_comes_to_a_port_before_it_is_there_is_nobodys() -> None:
    rig = SignalRig().joined().answer()
    (port,) = rig.take(OpenPort)
    rig.datagrams(port.link, b"x")
    assert [name for name, *_ in rig.peer.calls if name == "receive"] == []


def test_a_port_that_cant_be_had_is_none() -> None:
    rig = SignalRig().joined().answer()
    (port,) = rig.take(OpenPort)
    rig.give(PortClosed(link=port.link)).give(PortOpened(link=port.link, local=HERE))
    assert added(rig.peer) == []
    rig.say(**trickle(UDP.replace("7882", "7883")))
    assert len(rig.take(OpenPort)) == 1


def test_an_address_of_ours_that_the_peer_does_not_take_is_given_back() -> None:
    rig = SignalRig().joined().answer()
    rig.peer.faults = {"add_local": ValueError("no address")}
    (port,) = rig.take(OpenPort)
    rig.give(PortOpened(link=port.link, local=("fe80::1%eth0", 1)))
    assert [one.link for one in rig.take(ClosePort)] == [port.link]
    assert rig.state is S.CONNECTING


def test_candidates_and_ports_have_a_number() -> None:
    rig = SignalRig(limits=Limits(ice_candidates=4, ice_ports=2)).joined().answer()
    for number in range(9):
        rig.say(**trickle(TCP.replace("7881", f"78{number}")))
    assert len([one for one in rig.commands if isinstance(one, OpenPort)]) == 4
    assert len([one for one in rig.commands if isinstance(one, ClosePort)]) == 2


def test_a_server_that_offers_again_and_again_has_no_more_ports_by_it() -> None:
    rig = TwoRig(limits=Limits(ice_ports=3)).joined()
    for number in range(30):
        rig.offered(number)
        for line in (UDP, SIX, TCP):
            rig.say(**trickle(line, livekit.SignalTarget.SUBSCRIBER))
    opened, closed = ([one for one in rig.commands if isinstance(one, kind)] for kind in (OpenPort, ClosePort))
    assert len(opened) - len(closed) <= 3
    rig.ports()
    assert rig.state is S.CONNECTING


def test_the_same_offer_again_begins_no_round() -> None:
    rig = TwoRig(limits=Limits(ice_candidates=4)).joined()
    for number in range(30):
        rig.offered(1)
        rig.say(**trickle(UDP.replace("7882", f"{7_000 + number}"), livekit.SignalTarget.SUBSCRIBER)).ports()
    assert len([call for call in rig.into.calls if call[0] == "add_remote"]) == 4


def test_candidates_of_a_round_that_is_over_are_not_waited_for() -> None:
    rig = TwoRig().joined().offered().say(**trickle(UDP, livekit.SignalTarget.SUBSCRIBER)).offered(2).ports()
    assert added(rig.into) == [(("10.0.0.7", HERE[1] + 1), "udp")]


def test_a_peer_is_told_the_time_with_each_candidate_as_it_checks_then() -> None:
    rig = TwoRig().joined().offered().say(**trickle(UDP, livekit.SignalTarget.SUBSCRIBER))
    before = len(rig.into.calls)
    rig.commands = [command for command in rig.commands if isinstance(command, OpenPort)]
    rig.ports()
    assert [call[0] for call in rig.into.calls[before:]] == ["add_local", "add_remote", "handle_timeout"]


def test_the_server_is_told_where_we_are_on_the_connection_that_it_offers() -> None:
    rig = TwoRig().joined().offered().answer()
    for line in (UDP, TCP):
        rig.say(**trickle(line, livekit.SignalTarget.SUBSCRIBER))
    rig.ports()
    (said,) = [request.trickle for request in rig.requests() if request.trickle is not None]
    assert said.target is livekit.SignalTarget.SUBSCRIBER
    assert json.loads(said.candidate_init) == {"candidate": "candidate:", "sdpMid": "0", "sdpMLineIndex": 0}


# --- what a peer raises


@pytest.mark.parametrize("error", [RuntimeError("bad"), ValueError("bad"), RuntimeError()])
@pytest.mark.parametrize("method", ["offer", "accept_answer", "handle_timeout", "receive", "add_remote", "add_local"])
def test_a_peer_that_fails_on_the_way_in_ends_it(method: str, error: Exception) -> None:
    rig = SignalRig()
    rig.faults = {method: error}
    rig.joined().answer().ports()
    for port in rig.lines:
        rig.datagrams(port, b"x")
    harmless = method in {"add_remote", "add_local"} and isinstance(error, ValueError)
    if harmless:
        assert rig.state is S.CONNECTING
        return
    (failed,) = rig.told(LinkFailed)
    assert failed.reason is CloseReason.UNREACHABLE
    assert failed.detail == (str(error) or "RuntimeError")
    assert rig.session.deadline() is None


@pytest.mark.parametrize("method", ["send", "buffered", "receive", "handle_timeout"])
def test_a_peer_that_fails_in_the_room_ends_it(method: str) -> None:
    rig = SignalRig().opened()
    if method == "buffered":
        rig.send(1)
    rig.peer.faults = {method: RuntimeError("over"), "close": RuntimeError("again")}
    if method == "send":
        rig.send(1)
    elif method == "handle_timeout":
        rig.peer.faults = {}
        rig.peer.wakes = rig.now + 1.0
        rig.happen()
        rig.peer.faults = {method: RuntimeError("over")}
        rig.pass_time(1.0)
    else:
        rig.happen()
    assert rig.told(LinkClosed)[0].detail == "over"
    assert rig.told(SendsAcknowledged) == [], "what is not known to have come is not said to have"


def test_a_peer_that_cant_even_be_closed() -> None:
    rig = SignalRig().opened()
    rig.peer.faults = {"close": RuntimeError("again")}
    rig.session.abandon(now=rig.now)
    assert rig.turn().told(LinkClosed)[0].reason is CloseReason.CLIENT


def test_the_peers_deadline_is_the_sessions() -> None:
    rig = SignalRig().opened()
    rig.peer.wakes = rig.now + 0.5
    rig.happen()
    assert rig.session.deadline() == rig.now + 0.5
    rig.pass_time(0.4)
    assert ("handle_timeout", rig.now) not in rig.peer.calls
    rig.peer.wakes = None
    rig.pass_time(0.1)
    assert rig.peer.calls[-1] == ("handle_timeout", rig.now)


def test_trickles_for_a_connection_that_is_not_there() -> None:
    rig = SignalRig().joined().say(**trickle(UDP, livekit.SignalTarget.SUBSCRIBER))
    assert rig.take(OpenPort) == []
    two = TwoRig().begin().hang_up(status=404)
    two.give(PortOpened(link=LinkRef(77, 3), local=HERE))
    assert two.news == []


@given(
    st.integers(1, 3) | st.integers(100, 140) | st.integers(16_000, 16_400) | st.just(63_990),
    st.integers(0, 300) | st.integers(16_000, 20_000) | st.integers(2**21 - 2, 2**21 + 2) | st.just(2**32 - 1),
)
def test_an_envelope_is_what_the_codec_makes_of_its_message(length: int, sequence: int) -> None:
    payload = bytes(index % 251 for index in range(length))
    message = livekit.DataPacket(
        kind=livekit.DataKind.RELIABLE if sequence else livekit.DataKind.LOSSY,
        user=livekit.UserPacket(payload=payload),
        sequence=sequence,
    )
    assert envelope(payload, sequence) == encode(message)
