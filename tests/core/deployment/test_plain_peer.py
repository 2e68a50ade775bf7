"""Peers without keys: what they do to each other on a line that loses, doubles and reorders, and to junk."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

import pytest

from dcl_comms_core.deployment.checks import Checks
from dcl_comms_core.deployment.ordered import Ordered, Said
from dcl_comms_core.deployment.peer import PlainPeer, PlainPeers
from dcl_comms_core.tools.prng import Prng

A, B = ("10.0.0.1", 1), ("10.0.0.2", 2)
RELIABLE, LOSSY = ("_reliable", True, None, None), ("_lossy", False, 0, None)


class Line:
    """Two peers; ``a`` makes the offers."""

    def __init__(self, seed: int = 1, *, loss: float = 0.0, double: float = 0.0, jitter: float = 0.0) -> None:
        peers = PlainPeers(seed)
        self.random = Random(seed)
        self.loss, self.double, self.jitter = loss, double, jitter
        self.now = 0.0
        self.a, self.b = peers.new(0.0), peers.new(0.0)
        self.events: dict[PlainPeer, list[Any]] = {self.a: [], self.b: []}
        self.due: dict[PlainPeer, float | None] = {self.a: None, self.b: None}
        self.queue: list[Any] = []
        self.order = count()
        self.sent: list[bytes] = []
        self.cut = False

    def join(self, *channels: Any, restart: bool = False) -> list[int]:
        if not self.events[self.a]:
            self.a.add_local(A)
            candidate = self.b.add_local(B)
            self.candidate = candidate
        offer, numbers = self.a.offer(channels, restart=restart)
        assert offer is not None
        answer = self.b.accept_offer(offer)
        assert f"a={self.candidate}" in answer
        self.a.accept_answer(answer)
        self.a.add_remote(self.candidate)
        self.take(self.a, self.a.handle_timeout(self.now))
        self.take(self.b, self.b.poll())
        return numbers

    def take(self, peer: PlainPeer, output: Any) -> None:
        datagrams, events, self.due[peer] = output
        self.events[peer] += events
        for (protocol, source, to), datagram in datagrams:
            assert (protocol, {source, to}) == ("udp", {A, B})
            self.sent.append(datagram)
            for _ in range(2 if self.random.random() < self.double else 1):
                if not self.cut and self.random.random() >= self.loss:
                    late = 0.01 + self.random.random() * self.jitter
                    heappush(self.queue, (self.now + late, next(self.order), to, source, datagram))

    def run(self, seconds: float) -> Line:
        end = self.now + seconds
        while True:
            times = [due for due in self.due.values() if due is not None] + [one[0] for one in self.queue[:1]]
            when = min(times, default=end)
            if when > end:
                self.now = end
                return self
            self.now = max(self.now, when)
            while self.queue and self.queue[0][0] <= self.now:
                _, _, to, source, datagram = heappop(self.queue)
                peer = self.a if to == A else self.b
                self.take(peer, peer.receive([datagram], source, to, self.now))
            for peer, due in self.due.items():
                if due is not None and due <= self.now:
                    self.take(peer, peer.handle_timeout(self.now))
            if not times:
                return self

    def send(self, peer: PlainPeer, *messages: tuple[int, bytes]) -> int:
        taken, output = peer.send(list(messages), self.now)
        self.take(peer, output)
        return taken

    def data(self, peer: PlainPeer, channel: int) -> list[bytes]:
        return [detail for kind, number, detail in self.events[peer] if (kind, number) == ("data", channel)]

    def kinds(self, peer: PlainPeer) -> list[str]:
        return [kind for kind, *_ in self.events[peer]]


@pytest.mark.parametrize("seed", range(4))
def test_reliable_messages_come_once_in_order_and_lossy_ones_once_or_never(seed: int) -> None:
    line = Line(seed, loss=0.2, double=0.2, jitter=0.05)
    reliable, lossy = line.join(RELIABLE, LOSSY)
    line.run(20.0)
    for peer in (line.a, line.b):
        assert line.kinds(peer).count("open") == 2
        assert {"ice-completed", "connected"} <= set(line.kinds(peer))
    messages = [bytes([number]) * (1 + 400 * number) for number in range(30)]
    for message in messages:
        assert line.send(line.a, (reliable, message), (lossy, message[:900])) == 2
        assert line.send(line.b, (reliable, message)) == 1
    assert line.a.buffered(reliable) > 0
    assert line.a.buffered(lossy) == 0
    line.run(120.0)
    assert line.data(line.b, reliable) == line.data(line.a, reliable) == messages
    # One that was doubled on the way comes twice: LiveKit's reliable packets are numbered, and its lossy ones are not.
    assert 10 < len(set(line.data(line.b, lossy))) < 30
    assert line.a.buffered(reliable) == line.b.buffered(reliable) == 0


def test_the_same_seed_says_the_same() -> None:
    runs = []
    for _ in range(2):
        line = Line(5, loss=0.1)
        line.join(RELIABLE)
        runs.append(line.run(5.0).sent)
    assert runs[0] == runs[1]
    other = Line(6, loss=0.1)
    other.join(RELIABLE)
    assert other.run(5.0).sent != runs[0]


def test_long_lossy_messages_come_whole_or_not_at_all() -> None:
    line = Line()
    _, lossy = line.join(RELIABLE, LOSSY)
    line.run(2.0)
    long = bytes(5_000)
    line.send(line.a, (lossy, long), (lossy, b""))
    line.run(1.0)
    assert line.data(line.b, lossy) == [b"", long] or line.data(line.b, lossy) == [long, b""]
    line.loss = 0.5
    for _ in range(80):
        line.send(line.a, (lossy, long))
    line.run(2.0)
    assert set(line.data(line.b, lossy)) == {b"", long}
    line.loss = 0.0
    line.send(line.a, (lossy, long))
    before = len(line.data(line.b, lossy))
    assert len(line.run(2.0).data(line.b, lossy)) == before + 1


def test_there_is_room_for_so_much_and_a_channel_has_to_be_open() -> None:
    line = Line()
    (reliable,) = line.join(RELIABLE)
    with pytest.raises(RuntimeError, match="not open"):
        line.a.send([(reliable, b"x")], 0.0)
    line.run(1.0)
    block = bytes(600_000)
    assert line.send(line.a, (reliable, block), (reliable, block)) == 1
    assert line.a.buffered(reliable) == 600_000
    line.run(60.0)
    assert line.data(line.b, reliable) == [block]
    assert line.send(line.a, (reliable, bytes(2_000_000))) == 1, "one that is alone may be longer"


def test_silence_is_told_and_another_round_finds_the_way_again() -> None:
    line = Line()
    (reliable,) = line.join(RELIABLE)
    line.run(3.0)
    line.cut = True
    line.run(10.0)
    assert line.kinds(line.a)[-1] == line.kinds(line.b)[-1] == "ice-disconnected"
    line.cut = False
    line.join(restart=True)
    line.send(line.a, (reliable, b"again"))
    line.run(5.0)
    for peer in (line.a, line.b):
        assert line.kinds(peer).count("ice-checking") == 1
        assert line.kinds(peer).count("ice-completed") == 2
    assert line.data(line.b, reliable) == [b"again"]


def test_the_way_comes_back_by_itself_too() -> None:
    line = Line()
    line.join(RELIABLE)
    line.run(3.0)
    line.cut = True
    line.run(8.0)
    line.cut = False
    line.run(5.0)
    assert line.kinds(line.a)[-2:] == ["ice-disconnected", "ice-completed"]


def test_a_channel_is_closed_once_both_sides_did() -> None:
    line = Line()
    reliable, lossy = line.join(RELIABLE, LOSSY)
    line.run(1.0)
    line.send(line.a, (reliable, b"last"))
    line.take(line.a, line.a.close_channel(reliable, line.now))
    line.take(line.a, line.a.close_channel(reliable, line.now))
    line.take(line.a, line.a.close_channel(99, line.now))
    line.run(1.0)
    assert line.data(line.b, reliable) == [b"last"]
    assert ("close", reliable, None) in line.events[line.a]
    assert ("close", reliable, None) in line.events[line.b]
    # What comes late for it is nothing, nor is what comes for one that never was.
    session = line.sent[-1][2:10]
    late = b"\x17\x04" + session + reliable.to_bytes(2) + bytes(4) + b"\x00\x00\x00\x01x"
    line.take(line.b, line.b.receive([late], A, B, line.now))
    assert line.data(line.b, reliable) == [b"last"]
    assert line.send(line.a, (lossy, b"works")) == 1
    # So are other things than those that are said, and what is said twice.
    before, number = len(line.events[line.b]), 4
    for what, channel in ((2, reliable), (0, lossy), (9, lossy)):
        piece = number.to_bytes(4) + bytes([what]) + channel.to_bytes(2) + b"\x01"
        line.take(line.b, line.b.receive([b"\x17\x02" + session + piece], A, B, line.now))
        number += 1
    assert len(line.events[line.b]) == before


def test_both_may_open_channels_and_greetings_may_be_lost() -> None:
    line = Line()
    line.join(RELIABLE)
    line.run(1.0)
    offer, (number,) = line.b.offer([("theirs", True, None, None)])
    assert offer is not None
    line.a.accept_answer(offer)  # what is in it is the same
    line.take(line.b, line.b.poll())
    line.run(1.0)
    assert ("open", number, "theirs") in line.events[line.a]
    assert number % 2 == 1


def test_the_end_is_told() -> None:
    line = Line()
    (reliable,) = line.join(RELIABLE)
    line.run(1.0)
    line.take(line.a, line.a.close())
    line.take(line.a, line.a.close())
    assert line.due[line.a] is None
    line.run(1.0)
    assert line.events[line.b][-1] == ("closed", None, None)
    assert line.due[line.b] is None
    datagrams, events, due = line.b.receive([b"\x00\x01"], A, B, line.now)
    assert (datagrams, events, due) == ([], [], None)
    assert line.b.handle_timeout(line.now) == ([], [], None)
    assert line.a.buffered(reliable) == 0
    # Who never had a way says nothing.
    assert PlainPeers(1).new(0.0).close() == ([], [], None)


def test_what_is_no_description_or_candidate_is_told() -> None:
    peer = PlainPeers(1).new(0.0)
    with pytest.raises(ValueError, match="names nobody"):
        peer.accept_offer("v=0\r\n")
    with pytest.raises(ValueError, match="names nobody"):
        peer.accept_answer("v=0\r\n")
    with pytest.raises(ValueError, match="UDP"):
        peer.add_local(A, "tcp")
    for candidate in ("candidate:", "candidate:1 1 udp 1 10.0.0.1 x typ host"):
        with pytest.raises(ValueError, match=r".+"):
            peer.add_remote(candidate)


def test_junk_changes_nothing() -> None:
    line, random = Line(3), Random(3)
    (reliable,) = line.join(RELIABLE)
    line.run(1.0)
    for number in range(200):
        line.send(line.a, (reliable, number.to_bytes(2)))
        for peer, here, there in ((line.a, A, B), (line.b, B, A)):
            seen = bytearray(random.choice(line.sent))
            seen[random.randrange(min(10, len(seen)))] ^= 1 + random.randrange(255)
            junk = [bytes(seen), random.randbytes(random.randrange(40)), b"", b"\x17", b"\x17\x00", b"\x17\x02"]
            junk += [b"\x17\x07" + line.sent[-1][2:10], b"\x16\xfe\xfd", b"\x00\x01" + bytes(18)]
            line.take(peer, peer.receive([random.choice(junk)], there, here, line.now))
        line.run(0.05)
    line.run(30.0)
    assert line.data(line.b, reliable) == [number.to_bytes(2) for number in range(200)]


def test_pieces_that_are_cut_short_or_of_nobody_are_nothing() -> None:
    ordered = Ordered()
    assert list(ordered.receive(b"short")) == []
    assert not ordered.acks
    ordered.say(Said(1, 5, b""), 0.0)
    assert ordered.out == [bytes(4) + b"\x01\x00\x05\x01"]
    assert ordered.acknowledged(bytes(4), 0.0) == []
    assert ordered.acknowledged(b"\x00\x00\x00\x01", 0.0) == [Said(1, 5, b"")]
    ordered.handle_timeout(100.0)
    assert len(ordered.out) == 1
    assert ordered.deadline() is None


def test_checks_that_nobody_answers_are_few_and_forgotten() -> None:
    checks = Checks(Prng(1))
    checks.reach(A, 0.0)
    assert checks.deadline() is None, "there is nothing to send from yet"
    checks.local.append(B)
    for port in range(40):
        checks.reach(("10.0.0.3", port), 0.0)
    assert checks.deadline() is None, "nobody is known to be there yet"
    checks.handle_timeout(0.0)
    assert checks.out == []
    checks.theirs = "them"
    now = 0.0
    for _ in range(100):
        now = checks.deadline() or now
        checks.handle_timeout(now)
    assert len({route for route, _ in checks.out}) == 16
    # The answer has to come from who was asked, and from him it is taken once.
    route, datagram = checks.out[-1]
    success = b"\x01\x01\x00\x00" + datagram[4:20]
    checks.receive(success, ("10.9.9.9", 9), B, now)
    checks.receive(success, route[2], B, now)
    assert checks.route is None
    # The first ones are forgotten by now.
    route, datagram = checks.out[0]
    checks.receive(b"\x01\x01\x00\x00" + datagram[4:20], route[2], B, now)
    assert checks.route is None
    checks.handle_timeout(now + 2.0)
    route, datagram = checks.out[-1]
    checks.receive(b"\x01\x01\x00\x00" + datagram[4:20], route[2], B, now)
    assert checks.route == route
