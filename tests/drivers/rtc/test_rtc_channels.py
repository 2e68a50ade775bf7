"""Two peers of the crate on a bad line: what arrives, in which order, how often, and what the other side is told."""

from __future__ import annotations

from random import Random

import pytest
from rigs.rtc.line import RtcLine, rtc_module

rtc = rtc_module()

RELIABLE = ("_reliable", True, None, None)
UNORDERED = ("_unordered", False, None, None)
LOSSY = ("_lossy", False, 0, None)
BAD = {"loss": 0.2, "double": 0.2, "jitter": 0.08}
LONGEST = 262_144
RECORD = 23
"""What a DTLS record of data begins with."""


def numbered(count: int, size: int = 4) -> list[bytes]:
    return [place.to_bytes(4, "big") + bytes(size - 4) for place in range(count)]


@pytest.mark.parametrize("seed", range(6))
def test_on_a_bad_line_reliable_arrives_once_in_order_and_lossy_never_twice(seed):
    line = RtcLine(seed, **BAD)
    reliable, unordered, lossy = line.join(RELIABLE, UNORDERED, LOSSY)
    messages, random = numbered(150, 200), Random(seed)
    for message in messages:
        assert line.send(line.a, (reliable, message), (unordered, message), (lossy, message)) == 3
        line.wait(random.random() * 0.05)
    there = line.b.numbers()
    line.run(lambda: all(len(line.b.messages(there[label])) >= 150 for label in ("_reliable", "_unordered")))
    line.wait(20)
    assert line.b.messages(there["_reliable"]) == messages
    assert sorted(line.b.messages(there["_unordered"])) == messages
    came = line.b.messages(there["_lossy"])
    assert len(came) == len(set(came))
    assert set(came) <= set(messages)
    assert 50 < len(came) < 150, "some are lost, others are not"
    assert [line.a.peer.buffered(number) for number in (reliable, unordered, lossy)] == [0, 0, 0]


def test_both_sides_send_at_once():
    line = RtcLine(7, **BAD)
    (number,) = line.join(RELIABLE)
    other = line.b.numbers()["_reliable"]
    messages = numbered(80)
    for message in messages:
        line.send(line.a, (number, message))
        line.send(line.b, (other, message))
    line.run(lambda: len(line.a.messages(number)) >= 80 and len(line.b.messages(other)) >= 80)
    assert line.a.messages(number) == line.b.messages(other) == messages


def test_messages_of_all_sizes():
    line = RtcLine(2, loss=0.05, jitter=0.01, buffer_bytes=LONGEST)
    (number,) = line.join(RELIABLE)
    sizes = [1, 2, 1_100, 1_200, 1_201, 16_384, 65_535, 65_536, LONGEST - 1, LONGEST]
    for size in sizes:
        assert line.send(line.a, (number, bytes([size % 251]) * size)) == 1
        line.run(lambda: line.a.peer.buffered(number) == 0)
    got = line.b.messages(line.b.numbers()["_reliable"])
    assert [len(message) for message in got] == sizes
    assert got == [bytes([size % 251]) * size for size in sizes]


def test_what_can_not_be_sent_says_so_and_holds_up_nobody():
    line = RtcLine(3, buffer_bytes=LONGEST + 1)
    (number,) = line.join(RELIABLE)
    with pytest.raises(ValueError, match="empty"):
        line.send(line.a, (number, b""))
    with pytest.raises(rtc.RtcError, match="can't be sent"):
        line.send(line.a, (number, bytes(LONGEST + 1)))
    with pytest.raises(rtc.RtcError, match="longer than the buffer, 262145 bytes"):
        line.send(line.a, (number, bytes(LONGEST + 2)))
    # Those before it are sent.
    assert line.send(line.a, (number, b"one"), (number, b""), (number, b"two")) == 1
    assert line.send(line.a, (number, b"three")) == 1
    line.run(lambda: len(line.b.messages(0)) == 2)
    assert line.b.messages(0) == [b"one", b"three"]


def test_a_full_buffer_takes_no_more_until_there_is_room():
    line = RtcLine(4, buffer_bytes=10_000)
    (number,) = line.join(RELIABLE)
    messages = numbered(25, 1_000)
    sent = line.send(line.a, *((number, message) for message in messages))
    assert sent == 10
    assert line.a.peer.buffered(number) == 10_000
    assert line.send(line.a, (number, b"x")) == 0
    while sent < 25:
        line.run(lambda: line.a.peer.buffered(number) <= 9_000)
        more = line.send(line.a, *((number, message) for message in messages[sent:]))
        assert more > 0
        sent += more
    line.run(lambda: line.a.peer.buffered(number) == 0)
    assert line.b.messages(0) == messages


def test_datagrams_that_come_together_are_acknowledged_together():
    line = RtcLine(12)
    (number,) = line.join(RELIABLE)
    messages = numbered(200, 1_000)
    line.send(line.a, *((number, message) for message in messages[:100]))
    line.run(lambda: line.a.peer.buffered(number) == 0)  # by now many may be on their way at once
    line.wait(2)
    line.send(line.a, *((number, message) for message in messages[100:]))
    together = [datagram for _, _, side, datagram in sorted(line.under_way) if side is line.b and datagram[0] == RECORD]
    assert len(together) > 30
    line.under_way.clear()
    line.b.sent.clear()
    line.deliver(line.b, *together)
    assert len(line.b.sent) <= len(together) // 16 + 1
    line.run(lambda: len(line.b.messages(0)) == 200)
    assert line.b.messages(0) == messages
    line.run(lambda: line.a.peer.buffered(number) == 0)


@pytest.mark.parametrize("most", [576, 1_150, 1_280, 1_500])
def test_no_datagram_is_longer_than_it_may_be(most):
    line = RtcLine(13, datagram_bytes=most)
    (number,) = line.join(RELIABLE)
    for size in (1, most // 2, most - 88, most - 87, most, 5_000):
        line.a.sent.clear()
        line.send(line.a, (number, bytes(size)))
        records = [datagram for datagram in line.a.sent if datagram[0] == RECORD]
        assert max(map(len, records)) <= most
        # What a record and the association add leaves so much for a message.
        assert (len(records) == 1) == (size <= most - 88)
        line.run(lambda: line.a.peer.buffered(number) == 0)


def test_a_call_that_raises_loses_neither_datagrams_nor_events():
    line = RtcLine(5)
    (number,) = line.join(RELIABLE)
    line.send(line.a, (number, b"first"))
    line.under_way.clear()  # lost: after a while it is sent again
    with pytest.raises(rtc.RtcError, match="longer than the buffer"):
        line.a.peer.send([(number, bytes(200_000))], line.now + 10)
    line.now += 10
    line.take(line.a, line.a.peer.poll())
    assert line.under_way, "the message was sent again by the call that raised"
    line.run(lambda: line.b.messages(0) == [b"first"])


def test_agreed_channels_open_on_both_sides_without_an_announcement():
    line = RtcLine(6, **BAD)
    line.join(RELIABLE)
    agreed = [("control", True, None, 5), ("lossy", False, 0, 6)]
    # The association is there: nothing has to be offered.
    assert line.a.peer.offer(agreed) == line.b.peer.offer(agreed) == (None, [1, 2])
    for side in (line.a, line.b):
        line.take(side, side.peer.handle_timeout(line.now))
    line.run(lambda: all(side.numbers() == {"_reliable": 0, "control": 1, "lossy": 2} for side in (line.a, line.b)))
    line.send(line.a, (1, b"hello"))
    line.send(line.b, (1, b"hello yourself"))
    line.run(lambda: line.b.messages(1) == [b"hello"] and line.a.messages(1) == [b"hello yourself"])


def test_an_ice_restart_loses_nothing_and_a_cut_line_comes_back():
    line = RtcLine(8, loss=0.1, jitter=0.02)
    (number,) = line.join(RELIABLE)
    messages = numbered(90, 500)
    for place, message in enumerate(messages):
        if place == 30:
            line.cut = True
            line.under_way.clear()
        if place == 50:
            line.cut = False
            assert line.offer(restart=True) == []
        assert line.send(line.a, (number, message)) == 1
        line.wait(0.1)
    line.run(lambda: len(line.b.messages(0)) >= 90)
    assert line.b.messages(0) == messages
    assert "closed" not in line.a.kinds() + line.b.kinds()


def test_channels_are_added_to_a_connection():
    line = RtcLine(9, loss=0.1)
    first = line.join(RELIABLE)
    offer, second = line.a.peer.offer([LOSSY])
    assert (first, second, offer) == ([0], [1], None)
    line.take(line.a, line.a.peer.handle_timeout(line.now))
    line.run(lambda: "_lossy" in line.a.numbers() and "_lossy" in line.b.numbers())


def test_closing_is_told_to_the_other_side():
    line = RtcLine(10)
    (number,) = line.join(RELIABLE)
    assert (line.a.peer.alive, line.b.peer.alive) == (True, True)
    line.take(line.a, line.a.peer.close())
    line.run(lambda: line.b.kinds()[-1] == "closed")
    assert (line.a.deadline, line.a.peer.alive, line.b.peer.alive) == (None, False, False)
    # Over: nothing comes of anything, and nothing can be sent.
    assert line.a.peer.close() == ([], [], None)
    assert line.a.peer.handle_timeout(line.now + 60) == ([], [], None)
    with pytest.raises(rtc.RtcError, match="not open"):
        line.send(line.a, (number, b"x"))
    assert line.a.peer.buffered(number) == 0


def test_a_goodbye_that_comes_when_something_was_due_is_one():
    """Who did not turn for a while owes an acknowledgement, and can't send it after the other side's last word."""
    line = RtcLine(14)
    (number,) = line.join(RELIABLE)
    line.wait(2)
    line.send(line.a, (number, b"last"))
    line.under_way.clear()
    record, goodbye = line.a.sent[-1], line.a.peer.close()[0][-1][1]
    line.deliver(line.b, record)
    line.now += 1.0
    line.deliver(line.b, goodbye)
    assert line.b.messages(0) == [b"last"]
    assert line.b.kinds()[-1] == "closed"


@pytest.mark.parametrize("steps", range(0, 40, 3))
def test_closing_works_at_any_time(steps):
    line = RtcLine(steps)
    for side in (line.a, line.b):
        side.peer.add_local(side.address)
    line.offer([RELIABLE])
    for _ in range(steps):
        line.step()
    line.take(line.a, line.a.peer.close())
    assert (line.a.deadline, line.a.peer.alive) == (None, False)


def test_over_tcp_the_caller_frames():
    """Datagrams go in and come out as over UDP, without lengths."""
    line = RtcLine(11)
    candidate = line.a.peer.add_local(line.a.address, "tcp")
    assert " tcp " in candidate.lower()
    assert "tcptype active" in candidate
    line.b.peer.add_local(line.b.address)
    line.a.peer.accept_answer(line.b.peer.accept_offer(line.a.peer.offer([RELIABLE])[0]))
    line.a.peer.add_remote(
        f"candidate:1 1 tcp 1671430143 {line.b.address[0]} {line.b.address[1]} typ host tcptype passive"
    )
    now, found = line.now, []
    while not found and now < line.now + 10:
        datagrams, _, deadline = line.a.peer.handle_timeout(now)
        found = [payload for (protocol, _, _), payload in datagrams if protocol == "tcp"]
        now = deadline
    # A STUN request: its two bits, its length, its magic cookie.
    assert found[0][0] < 4
    assert int.from_bytes(found[0][2:4], "big") == len(found[0]) - 20
    assert found[0][4:8] == bytes.fromhex("2112a442")


def test_a_lone_message_is_acknowledged_within_a_quarter_of_a_second():
    """The other side delays it by 200 ms; a second packet ends the delay."""
    line = RtcLine(12)
    reliable, lossy = line.join(RELIABLE, LOSSY)
    line.wait(5)
    began = line.now
    line.send(line.a, (reliable, b"alone"))
    line.run(lambda: line.a.peer.buffered(reliable) == 0)
    alone = line.now - began
    line.wait(5)
    began = line.now
    line.send(line.a, (reliable, b"with another"))
    line.send(line.a, (lossy, b"x"))
    line.run(lambda: line.a.peer.buffered(reliable) == 0)
    assert alone == pytest.approx(0.22, abs=0.01)
    assert line.now - began == pytest.approx(0.02, abs=0.01)


@pytest.mark.parametrize("seed", range(6))
def test_a_channel_is_closed_once_the_other_side_has_read_all_of_it(seed):
    line = RtcLine(20 + seed, **BAD)
    reliable, lossy = line.join(RELIABLE, LOSSY)
    there = line.b.numbers()["_reliable"]
    messages = numbered(60, 500)
    line.send(line.a, *((reliable, message) for message in messages))
    line.take(line.a, line.a.peer.close_channel(reliable, line.now))
    assert "close" not in line.a.kinds()
    with pytest.raises(rtc.RtcError, match="channel 0 is not open"):
        line.send(line.a, (reliable, b"x"))
    with pytest.raises(rtc.RtcError, match="channel 0 is not open"):
        line.a.peer.close_channel(reliable, line.now)
    line.run(lambda: "close" in line.a.kinds())
    # All came before it was told here.
    assert line.b.messages(there) == messages
    assert [event for event in line.b.events if event[0] == "close"] == [("close", there, None)]
    assert [event for event in line.a.events if event[0] in {"open", "close"}][-1] == ("close", reliable, None)
    # Nothing more comes of it, and the others go on.
    line.loss = 0.0
    line.send(line.b, (line.b.numbers()["_lossy"], b"still here"))
    line.run(lambda: line.a.messages(lossy) == [b"still here"])
    assert line.a.kinds().count("close") == 1


def test_a_channel_that_both_sides_close_is_closed_once():
    line = RtcLine(30, jitter=0.02)
    (number,) = line.join(RELIABLE)
    for side in (line.a, line.b):
        line.take(side, side.peer.close_channel(number, line.now))
    line.wait(5)
    for side in (line.a, line.b):
        assert [event for event in side.events if event[0] == "close"] == [("close", number, None)]


def test_a_channel_that_the_other_side_does_not_close_stays_as_it_is():
    line = RtcLine(31)
    (number,) = line.join(RELIABLE)
    line.cut = True
    line.take(line.a, line.a.peer.close_channel(number, line.now))
    line.wait(30)
    assert "close" not in line.a.kinds()
    line.cut = False
    line.offer(restart=True)
    line.run(lambda: "close" in line.a.kinds())


def test_a_closed_channels_stream_is_not_used_again():
    line = RtcLine(32)
    number, agreed = line.join(RELIABLE), ("agreed", True, None, 0)
    line.take(line.a, line.a.peer.close_channel(number[0], line.now))
    line.run(lambda: "close" in line.a.kinds())
    with pytest.raises(ValueError, match="stream 0 can't be agreed on, or was before"):
        line.a.peer.offer([agreed])
    line.a.peer.offer([LOSSY])
    line.take(line.a, line.a.peer.handle_timeout(line.now))
    line.run(lambda: all("_lossy" in side.numbers() for side in (line.a, line.b)))
    line.send(line.a, (1, b"hello"))
    line.run(lambda: line.b.messages(line.b.numbers()["_lossy"]) == [b"hello"])


@pytest.mark.parametrize("steps", range(0, 40, 3))
def test_a_channel_can_be_closed_once_it_is_open(steps):
    line = RtcLine(steps)
    for side in (line.a, line.b):
        side.peer.add_local(side.address)
    line.offer([RELIABLE])
    for _ in range(steps):
        line.step()
    if "open" not in line.a.kinds():
        with pytest.raises(rtc.RtcError, match="channel 0 is not open"):
            line.a.peer.close_channel(0, line.now)
        line.run(lambda: "open" in line.a.kinds())
    line.take(line.a, line.a.peer.close_channel(0, line.now))
    line.run(lambda: "close" in line.a.kinds())
