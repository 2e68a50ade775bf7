"""Whoever sends what a peer did not expect: random, changed, cut and repeated datagrams, SDP and candidates.

Nothing but RtcError or ValueError comes of it; once DTLS stands nothing at all, and what is sent meanwhile arrives.
"""

from __future__ import annotations

import resource
from random import Random

import pytest
from rigs.rtc.line import RtcLine, rtc_module

from fuzz.webrtc.junk import junk, junk_sdp

rtc = rtc_module()

RELIABLE = ("_reliable", True, None, None)
HERE, THERE = ("192.0.2.1", 5001), ("192.0.2.2", 5002)


@pytest.mark.parametrize("seed", range(8))
def test_an_established_connection_lets_go_of_whatever_is_forged_or_repeated(seed):
    line, random = RtcLine(seed, loss=0.05, double=0.1, jitter=0.02), Random(seed)
    (number,) = line.join(RELIABLE)
    messages = [place.to_bytes(2, "big") * random.randrange(1, 900) for place in range(60)]
    for message in messages:
        line.send(line.a, (number, message))
        seen = [*line.a.sent, *line.b.sent]
        for _ in range(8):
            line.deliver(random.choice([line.a, line.b]), *(junk(random, seen) for _ in range(random.randrange(4))))
        line.wait(0.02)
    line.run(lambda: len(line.b.messages(0)) >= 60)
    line.wait(5)
    assert line.b.messages(0) == messages
    assert {*line.a.kinds()[4:], *line.b.kinds()[4:]} <= {"data", "ice-disconnected", "ice-connected", "ice-completed"}


@pytest.mark.parametrize("seed", range(12))
def test_before_that_it_may_fail_and_then_says_so(seed):
    line, random = RtcLine(seed, double=0.1, jitter=0.02), Random(seed)
    for side in (line.a, line.b):
        side.peer.add_local(side.address)
    line.offer([RELIABLE])
    try:
        for _ in range(200):
            line.step()
            line.deliver(random.choice([line.a, line.b]), junk(random, [*line.a.sent, *line.b.sent]))
    except rtc.RtcPanic:
        raise
    except rtc.RtcError as error:
        assert str(error).startswith("the connection failed: ")
    for side in (line.a, line.b):
        line.take(side, side.peer.close())
        assert not side.peer.alive


def test_strangers_and_what_no_datagram_can_be_are_let_go():
    line, random = RtcLine(1), Random(1)
    (number,) = line.join(RELIABLE)
    seen = [*line.a.sent, *line.b.sent]
    for _ in range(300):
        stranger = (f"198.51.100.{random.randrange(1, 255)}", random.randrange(65_536))
        datagrams, events, _ = line.b.peer.receive(
            [junk(random, seen)], stranger, line.b.address, line.now, random.choice(["udp", "tcp"])
        )
        # A check of ICE that holds its secrets, sent from elsewhere, is a way to be tried.
        assert {kind for kind, _, _ in events} <= {"ice-connected", "ice-completed"}
        # Which is answered; nothing else is.
        assert all(payload[0] < 4 for _, payload in datagrams)
    line.deliver(line.b, b"", bytes(65_536), bytes([23]) * 1_000_000)
    line.send(line.a, (number, b"still"))
    line.run(lambda: line.b.messages(0) == [b"still"])


def test_addresses_of_strangers_cost_no_memory():
    """Each is looked at and forgotten, STUN that knows our names too."""
    line = RtcLine(2)
    line.join(RELIABLE)
    checks = [one for one in line.a.sent if one[0] < 4]
    assert checks

    def play(count):
        for place in range(count):
            stranger = (f"10.{place >> 16 & 255}.{place >> 8 & 255}.{place & 255}", 1_000 + place % 60_000)
            line.b.peer.receive([checks[0][:-8], b"\x16\xfe\xfd" + bytes(60)], stranger, line.b.address, line.now)

    play(20_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    play(60_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_096


def stranger(place):
    return f"10.{place >> 16 & 255}.{place >> 8 & 255}.{place & 255}", 1_000 + place % 60_000


def candidate(place):
    return "candidate:1 1 udp 2130706175 {} {} typ host".format(*stranger(place))


def grown(play):
    """Bytes that the second and third of three equal parts took."""
    play(range(20_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    play(range(20_000, 60_000))
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1_024


@pytest.mark.timeout(60)
def test_a_side_that_checks_from_ever_new_addresses_costs_no_memory():
    """Checks that hold the secrets of ICE: whoever sends them is the other side."""
    line = RtcLine(3)
    (number,) = line.join(RELIABLE)
    (check,) = (one for one in line.a.sent[:1] if one[:2] == b"\x00\x01")
    answered = 0

    def play(places):
        nonlocal answered
        for place in places:
            datagrams, _, _ = line.b.peer.receive([check], stranger(place), line.b.address, line.now)
            answered += len(datagrams)

    assert grown(play) < 1 << 20
    assert 30 < answered < 200
    line.send(line.a, (number, b"still"))
    line.run(lambda: line.b.messages(0) == [b"still"])


@pytest.mark.timeout(60)
def test_a_side_that_names_ever_new_addresses_costs_no_memory():
    peer = rtc.Peer(0.0)
    peer.add_local(HERE)
    offer, _ = rtc.Peer(0.0).offer([RELIABLE])
    peer.accept_offer(offer)
    for place in range(64):
        peer.add_remote(candidate(place))
    peer.add_remote(candidate(7))
    with pytest.raises(ValueError, match="one address too many: 64"):
        peer.add_remote(candidate(64))

    def play(places):
        for place in places:
            if place % 100 == 0:
                lines = "".join(f"a={candidate(place + more)}\r\n" for more in range(100))
                peer.accept_offer(offer + lines)
            else:
                with pytest.raises(ValueError, match="too many"):
                    peer.add_remote(candidate(place + 100))

    assert grown(play) < 1 << 20
    restarted, _ = rtc.Peer(0.0).offer([RELIABLE])
    theirs = {line.split(":")[0]: line for line in restarted.splitlines() if line.startswith("a=ice-")}
    peer.accept_offer("".join(f"{theirs.get(line.split(':')[0], line)}\r\n" for line in offer.splitlines()))
    peer.add_remote(candidate(64))


@pytest.mark.parametrize("seed", range(4))
def test_sdp_of_any_kind_is_taken_or_refused(seed):
    random, refused, taken = Random(seed), 0, 0
    for _ in range(250):
        peer, other = rtc.Peer(0.0), rtc.Peer(0.0)
        peer.add_local(HERE)
        offer, _ = peer.offer([RELIABLE])
        answer = other.accept_offer(offer)
        try:
            if random.random() < 0.5:
                peer.accept_answer(junk_sdp(random, answer, offer))
            else:
                other.accept_offer(junk_sdp(random, offer, answer))
            taken += 1
        except rtc.RtcPanic:
            raise
        except (rtc.RtcError, ValueError):
            refused += 1
        for one in (peer, other):
            for now in (0.1, 1.0, 5.0):
                one.handle_timeout(now)
            one.close()
    assert refused > 50
    assert taken > 5


def test_sdp_and_candidates_have_a_length():
    peer = rtc.Peer(0.0)
    for text in ("x" * 32_769, "v=0\r\n" * 1_000_000):
        with pytest.raises(rtc.RtcError, match="longer than 32768 bytes"):
            peer.accept_offer(text)
        with pytest.raises(rtc.RtcError, match="longer than 32768 bytes"):
            peer.accept_answer(text)
    with pytest.raises(ValueError, match="too long"):
        peer.add_remote("candidate:" + "1" * 10_000_000)


LARGE = {
    "candidates": lambda place: f"a=candidate:1 1 udp 2130706175 10.{place // 250}.{place % 250}.7 5000 typ host",
    "attributes": lambda place: "a=b",
    "formats": lambda place: "a=rtpmap:1 x/1",
    "sections": lambda place: "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
}


@pytest.mark.parametrize("what", LARGE)
@pytest.mark.timeout(20)
def test_a_large_offer_is_read_and_tried_in_bounded_time(what):
    """The worst costs some 40 ms: without a limit of its length it would grow with the square of that."""
    offer, _ = rtc.Peer(0.0).offer([RELIABLE])
    lines = [LARGE[what](place) for place in range(12_000)]
    while len(offer) + sum(len(line) + 2 for line in lines) > 32_000:
        lines = lines[: len(lines) * 9 // 10]
    peer = rtc.Peer(0.0)
    peer.add_local(HERE)
    try:
        peer.accept_offer(offer + "\r\n".join(lines) + "\r\n")
    except rtc.RtcPanic:
        raise
    except rtc.RtcError as error:
        assert "offer can't be" in str(error)
    for now in range(25):
        peer.handle_timeout(now)
