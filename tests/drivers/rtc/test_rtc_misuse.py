"""What a caller gets wrong, and where a peer may be used from: each mistake is the documented error, and hurts only itself."""

from __future__ import annotations

import gc
import math
import os
import signal
import subprocess
import sys
import threading

import pytest
from rigs.rtc.line import RtcLine, rtc_module

rtc = rtc_module()

RELIABLE = ("_reliable", True, None, None)
HERE, THERE = ("192.0.2.1", 5001), ("192.0.2.2", 5002)


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_a_time_is_a_number(now):
    with pytest.raises(ValueError, match="finite"):
        rtc.Peer(now)
    peer = rtc.Peer(5.0)
    for call in (
        lambda: peer.handle_timeout(now),
        lambda: peer.send([], now),
        lambda: peer.receive([], HERE, THERE, now),
    ):
        with pytest.raises(ValueError, match="finite"):
            call()
    assert peer.alive


def test_a_clock_goes_no_further_than_ten_years_and_never_back():
    peer = rtc.Peer(1_000.0)
    with pytest.raises(ValueError, match="one clock"):
        peer.handle_timeout(4e8)
    _, _, deadline = peer.handle_timeout(1_010.0)
    assert deadline > 1_010.0
    _, _, deadline = peer.handle_timeout(900.0)
    assert deadline > 1_010.0


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf, 1e300])
def test_a_first_check_is_a_time_from_now(seconds):
    with pytest.raises(ValueError, match="first_check_seconds"):
        rtc.Peer(0.0, first_check_seconds=seconds)


@pytest.mark.parametrize("length", [0, 575, 1_501, 65_535])
def test_a_datagram_is_of_a_length_that_networks_carry(length):
    with pytest.raises(ValueError, match="from 576 to 1500"):
        rtc.Peer(0.0, datagram_bytes=length)


@pytest.mark.parametrize("host", ["", "localhost", "1.2.3", "1.2.3.4.5", "0.0.0.0", "224.0.0.1", "fe80::1::2", "\0", "1" * 100_000])  # fmt: skip
def test_an_address_is_one(host):
    peer = rtc.Peer(0.0)
    for protocol in ("udp", "tcp"):
        with pytest.raises(ValueError):
            peer.add_local((host, 5000), protocol)


@pytest.mark.parametrize(
    "address", [("192.0.2.1", -1), ("192.0.2.1", 65_536), ("192.0.2.1", "1"), ("192.0.2.1",), "x", None]
)
def test_an_address_is_of_its_types(address):
    with pytest.raises((TypeError, OverflowError, ValueError)):
        rtc.Peer(0.0).add_local(address)


def test_a_protocol_is_udp_or_tcp():
    with pytest.raises(ValueError, match='"udp" or "tcp"'):
        rtc.Peer(0.0).add_local(HERE, "sctp")


def test_an_interface_behind_an_address_is_the_callers():
    assert " fe80::1 5000 " in rtc.Peer(0.0).add_local(("fe80::1%eth0", 5000))


@pytest.mark.parametrize(
    "line",
    ["", "candidate:", "candidate:1 1 udp 1 host.local 5 typ host", "x" * 1_025, "\ud800", "candidate:" + "1" * 900],
)
def test_a_candidate_is_one(line):
    with pytest.raises(ValueError):
        rtc.Peer(0.0).add_remote(line)


@pytest.mark.parametrize(
    "channel",
    [("x" * 1_025, True, None, None), ("x", True, None, 65_535), ("x", True)],
    ids=["label", "stream", "short"],
)
def test_a_channel_is_one(channel):
    peer = rtc.Peer(0.0)
    with pytest.raises(ValueError):
        peer.offer([channel])
    with pytest.raises((TypeError, OverflowError)):
        peer.offer([("x", True, 65_536, None)])
    assert peer.offer([("x" * 1_024, True, 65_535, 65_534)])[1] == [0]


def test_a_stream_is_agreed_on_once():
    peer = rtc.Peer(0.0)
    with pytest.raises(ValueError, match="stream 1 "):
        peer.offer([("one", True, None, 1), ("two", True, None, 1)])
    # What was refused as a whole did nothing.
    assert peer.offer([("one", True, None, 1)])[1] == [0]
    with pytest.raises(ValueError, match="stream 1 "):
        peer.offer([("two", True, None, 1)])


def test_channels_are_those_that_were_told():
    peer = rtc.Peer(0.0)
    for call in (
        lambda: peer.buffered(0),
        lambda: peer.send([(0, b"x")], 0.0),
        lambda: peer.close_channel(0, 0.0),
    ):
        with pytest.raises(ValueError, match="no channel 0"):
            call()
    peer.offer([RELIABLE])
    assert peer.buffered(0) == 0
    for call in (lambda: peer.send([(0, b"x")], 0.0), lambda: peer.close_channel(0, 0.0)):
        with pytest.raises(rtc.RtcError, match="channel 0 is not open"):
            call()


@pytest.mark.parametrize("message", ["text", bytearray(b"x"), None, 5])
def test_messages_and_datagrams_are_bytes(message):
    peer = rtc.Peer(0.0)
    with pytest.raises(TypeError):
        peer.send([(0, message)], 0.0)
    with pytest.raises(TypeError):
        peer.receive([message], HERE, THERE, 0.0)


def test_an_answer_answers_the_last_offer():
    peer, other = rtc.Peer(0.0), rtc.Peer(0.0)
    first, _ = peer.offer([RELIABLE])
    answer = other.accept_offer(first)
    with pytest.raises(rtc.RtcError, match="nothing was offered"):
        rtc.Peer(0.0).accept_answer(answer)
    peer.accept_answer(answer)
    with pytest.raises(rtc.RtcError, match="nothing was offered"):
        peer.accept_answer(answer)
    # Ours is forgotten where theirs is taken.
    peer.offer(restart=True)
    peer.accept_offer(other.offer(restart=True)[0])
    with pytest.raises(rtc.RtcError, match="nothing was offered"):
        peer.accept_answer(answer)


def test_a_panic_ends_its_peer_and_no_other(capfd):
    """A stream that an announced channel has can't be agreed on: the engine asserts that."""
    line, other = RtcLine(1), RtcLine(2)
    line.join(RELIABLE)
    with pytest.raises(rtc.RtcPanic, match="exists already"):
        line.a.peer.offer([("agreed", True, None, 0)])
    assert capfd.readouterr() == ("", "")
    assert not line.a.peer.alive
    peer = line.a.peer
    for call in (
        peer.poll,
        peer.close,
        peer.offer,
        lambda: peer.accept_answer(""),
        lambda: peer.accept_offer(""),
        lambda: peer.add_local(HERE),
        lambda: peer.buffered(0),
        lambda: peer.send([], line.now),
        lambda: peer.handle_timeout(line.now),
        lambda: peer.receive([], HERE, THERE, line.now),
    ):
        with pytest.raises(rtc.RtcError, match="over: its engine panicked"):
            call()
    line.take(line.b, line.b.peer.handle_timeout(line.now))
    assert line.b.peer.alive
    assert other.join(RELIABLE) == [0]


def test_in_a_fork_a_peer_of_the_parents_is_refused():
    line = RtcLine(3)
    (number,) = line.join(RELIABLE)
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        refused = 0
        for call in (line.a.peer.poll, lambda: line.a.peer.alive, lambda: line.a.peer.send([(0, b"x")], line.now)):
            try:
                call()
            except rtc.RtcError as error:
                refused += "forked" in str(error)
        # One of its own works.
        own = rtc.Peer(0.0).alive
        os.write(tell, bytes([refused, own]))
        # Nothing of what the parent set up is undone here.
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert os.read(told, 9) == bytes([3, True])
    os.close(told)
    os.close(tell)
    line.send(line.a, (number, b"parent"))
    line.run(lambda: line.b.messages(0) == [b"parent"])


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 has no way to refuse")
def test_a_sub_interpreter_can_not_import_it():
    code = (
        "try: import _interpreters as one\nexcept ImportError: import _xxsubinterpreters as one\n"
        "told = 'try: import dcl_comms_rtc\\nexcept ImportError as error: print(error)'\n"
        "name = one.create()\n(one.exec if hasattr(one, 'exec') else one.run_string)(name, told)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "subinterpreters" in done.stdout, done.stderr


def test_threads_may_use_one_peer_and_several():
    line, faults = RtcLine(4), []
    (number,) = line.join(RELIABLE)

    def use():
        try:
            for _ in range(300):
                line.a.peer.buffered(number)
                line.a.peer.poll()
                rtc.Peer(0.0).handle_timeout(1.0)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


class Late:
    """Uses a peer as it is collected."""

    def __init__(self, peer, told):
        self.me, self.peer, self.told = self, peer, told

    def __del__(self):
        try:
            self.peer.buffered(0)
        except rtc.RtcError as error:
            self.told.append(str(error))


def test_a_finalizer_in_the_midst_of_a_call_is_refused():
    line, told = RtcLine(5), []
    (number,) = line.join(RELIABLE)
    peer, messages = line.a.peer, [(number, b"x" * 1_000)] * 4
    # What other tests left is looked at once, and not two hundred times.
    gc.collect()
    gc.freeze()
    try:
        for place in range(200):
            gc.collect()
            gc.disable()
            # Some objects more make a generation: one of those that the call makes has all of it collected.
            while gc.get_count()[0] < gc.get_threshold()[0] - place % 20:
                Late(peer, told)
            gc.enable()
            sent, output = peer.send(messages, line.now)
            assert sent == 4
            line.take(line.a, output)
            line.wait(0.05)
    finally:
        gc.enable()
        gc.unfreeze()
    # Newer ones collect between calls only.
    if sys.version_info < (3, 12):
        assert told
    assert set(told) <= {"this peer is used by somebody else at this moment"}
    line.run(lambda: line.a.peer.buffered(number) == 0)
    assert len(line.b.messages(0)) == 800


def test_peers_that_are_let_go_hold_nothing():
    gc.collect()
    line = RtcLine(6)
    line.join(RELIABLE)
    del line
    assert not [one for one in gc.get_objects() if isinstance(one, rtc.Peer)]
