"""WebSockets on every loop: a real server, and servers that mean harm."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import socket
import struct
import threading
import time

import pytest
import trio
from dcl_comms_drivers.loops.on_trio import TrioNet
from rigs.drivers.net import LOOPS, REF, Server, answer, read_head, run, websocket_server
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed

from dcl_comms_core import (
    CloseReason,
    CloseSocket,
    FrameReceived,
    Limits,
    LinkRef,
    LocalProtocolError,
    OpenSocket,
    Place,
    SendFrame,
    SocketClosed,
    SocketOpened,
)
from dcl_comms_core.inputs import PacketsDropped, SendAcknowledged, SendsAcknowledged

ON_EVERY_LOOP = pytest.mark.parametrize("loop", LOOPS)


def frame(token, data):
    return SendFrame(link=REF, token=token, data=data)


def frames(kit):
    return [inp.data for inp in kit.seen if isinstance(inp, FrameReceived)]


def acknowledged(kit, *, error=""):
    if error:
        return [inp.token for inp in kit.seen if isinstance(inp, SendAcknowledged) and inp.error == error]
    return [token for inp in kit.seen if isinstance(inp, SendsAcknowledged) for token in inp.tokens]


def accept(connection, *, subprotocol=None):
    """Answer the handshake by hand."""
    _, headers = read_head(connection)
    key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    token = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
    chosen = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    connection.sendall(
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + f"Sec-WebSocket-Accept: {token}\r\n{chosen}\r\n".encode()
    )
    return headers


def packed(opcode, data=b"", *, fin=True):
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
    return bytes([opcode | (0x80 if fin else 0)]) + size + data


def read_frame(connection):
    """The next frame of the client's: opcode and data."""

    def exactly(count):
        data = b""
        while len(data) < count:
            piece = connection.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    first, size = exactly(2)
    size &= 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", exactly(2))
    mask = exactly(4)
    return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(exactly(size)))


@ON_EVERY_LOOP
def test_messages_go_there_and_back(loop):
    def echo(server):
        for message in server:
            server.send(message)
        seen.append((server.subprotocol, server.close_code, server.request.headers["User-Agent"]))

    async def scenario(kit):
        opened = await kit.open(url, subprotocol="rfc5")
        assert (opened.subprotocol, opened.place) == ("rfc5", Place.LOOPBACK)
        sent = [bytes([n]) * n * 100 for n in range(100)]
        kit.do(*(frame(n, data) for n, data in enumerate(sent)))
        await kit.until(lambda: len(frames(kit)) == 100)
        assert frames(kit) == sent
        assert acknowledged(kit) == list(range(100))
        kit.do(CloseSocket(link=REF, drain=1.0))
        closed = await kit.expect(SocketClosed)
        assert (closed.reason, closed.code) == (CloseReason.CLIENT, 1000)
        assert kit.wakes < 250

    seen = []
    with websocket_server(echo, subprotocols=["archipelago", "rfc5"]) as url:
        run(loop, scenario)
    assert seen == [("rfc5", 1000, "dcl-comms")]


@ON_EVERY_LOOP
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, CloseReason.NETWORK),
        (1001, CloseReason.SERVER_SHUTDOWN),
        (1007, CloseReason.NETWORK),
        (4_001, CloseReason.NETWORK),
    ],
)
def test_the_servers_close_code_is_told(loop, code, reason):
    async def scenario(kit):
        await kit.open(url)
        closed = await kit.expect(SocketClosed)
        assert (closed.reason, closed.code, closed.status) == (reason, code, 0)

    with websocket_server(lambda server: server.close(code, "why")) as url:
        run(loop, scenario)


@ON_EVERY_LOOP
@pytest.mark.parametrize(("last", "code"), [(packed(8), 1005), (b"", 1006)])
def test_an_empty_close_and_none_are_told_apart(loop, last, code):
    def serve(connection):
        accept(connection)
        connection.sendall(packed(2, b"last words") + last)
        if last:
            replies.append(read_frame(connection))

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        closed = await kit.expect(SocketClosed)
        assert (closed.reason, closed.code) == (CloseReason.NETWORK, code)
        assert frames(kit) == [b"last words"]

    replies = []
    with Server(serve) as server:
        run(loop, scenario)
    assert replies == ([(8, b"")] if last else [])


@ON_EVERY_LOOP
def test_pings_are_answered_although_nobody_reads(loop):
    def serve(connection):
        accept(connection)
        for n in range(20):
            connection.sendall(packed(9, bytes([n])))
            pongs.append(read_frame(connection))
        done.set()

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        end = time.monotonic() + 40
        while not done.is_set() and time.monotonic() < end:
            await kit.sleep(0.01)  # no drain

    pongs, done = [], threading.Event()
    with Server(serve) as server:
        run(loop, scenario)
    assert pongs == [(10, bytes([n])) for n in range(20)]


@ON_EVERY_LOOP
def test_fragments_are_put_together_and_bounded(loop):
    def serve(connection):
        accept(connection)
        connection.sendall(packed(1, b"one", fin=False) + packed(0, fin=False) * 50 + packed(9) + packed(0, b" two"))
        connection.sendall(packed(2, bytes(1_000)))
        connection.sendall(packed(2, bytes(600), fin=False) + packed(0, bytes(401)))
        while True:
            told.append(read_frame(connection))

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        closed = await kit.expect(SocketClosed)
        assert (closed.reason, closed.detail) == (CloseReason.PROTOCOL, "a message over 1000 bytes")
        first, second = kit.seen
        assert (first.data, first.text) == (b"one two", True)
        assert (second.data, second.text) == (bytes(1_000), False)

    told = []
    with Server(serve) as server:
        run(loop, scenario, limits=Limits(socket_bytes=1_000))
    assert told[0] == (10, b"")
    assert told[1][1][:2] == struct.pack(">H", 1009)


@ON_EVERY_LOOP
@pytest.mark.parametrize("garbage", [b"\xff" * 50, packed(3, b"?"), packed(0, b"?")])
def test_what_is_no_frame_ends_it(loop, garbage):
    def serve(connection):
        accept(connection)
        connection.sendall(garbage)
        connection.recv(100)

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        closed = await kit.expect(SocketClosed)
        assert (closed.reason, closed.code) == (CloseReason.PROTOCOL, 1006)

    with Server(serve) as server:
        run(loop, scenario)


def refuse(status):
    def serve(connection):
        _, headers = read_head(connection)
        assert "sec-websocket-extensions" not in headers
        connection.sendall(answer(status, b"no", location="ws://127.0.0.1:9/"))

    return serve


def say(data):
    def serve(connection):
        read_head(connection)
        connection.sendall(data)

    return serve


@ON_EVERY_LOOP
@pytest.mark.parametrize(
    ("serve", "reason", "status"),
    [
        (refuse(404), CloseReason.NOT_FOUND, 404),
        (refuse(401), CloseReason.AUTHENTICATION, 401),
        (refuse(429), CloseReason.BAD_REQUEST, 429),
        (refuse(503), CloseReason.UNREACHABLE, 503),
        (refuse(301), CloseReason.PROTOCOL, 301),
        (refuse(200), CloseReason.PROTOCOL, 200),
        (say(b"garbage\r\n\r\n"), CloseReason.PROTOCOL, 0),
        (say(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), CloseReason.PROTOCOL, 0),
        (say(b"x" * 100_000), CloseReason.PROTOCOL, 0),
        (say(b""), CloseReason.NETWORK, 0),
        (lambda connection: accept(connection, subprotocol="other"), CloseReason.PROTOCOL, 0),
    ],
)
def test_a_refusal_says_why(loop, serve, reason, status):
    async def scenario(kit):
        kit.do(OpenSocket(link=REF, url=server.url(scheme="ws"), subprotocol="rfc5"))
        closed = await kit.expect(SocketClosed)
        assert (closed.reason, closed.status, closed.code) == (reason, status, 1006)
        assert kit.seen == []

    with Server(serve) as server:
        run(loop, scenario)


@ON_EVERY_LOOP
def test_a_silent_server_has_so_much_time(loop):
    async def scenario(kit):
        kit.do(OpenSocket(link=REF, url=server.url(scheme="ws")))
        closed = await kit.expect(SocketClosed)
        assert closed.reason is CloseReason.TIMEOUT

    with Server(lambda connection: connection.recv(1) and connection.recv(10_000) and connection.recv(1)) as server:
        run(loop, scenario, limits=Limits(connect_seconds=0.3))


@ON_EVERY_LOOP
def test_nobody_there_and_out_of_bounds(loop):
    async def scenario(kit):
        for generation, (url, within, reason) in enumerate(
            [
                (f"ws://127.0.0.1:{port}/", None, CloseReason.UNREACHABLE),
                (f"ws://127.0.0.1:{port}/", Place.PUBLIC, CloseReason.FORBIDDEN),
                ("ws://169.254.169.254/hush", None, CloseReason.FORBIDDEN),
                ("ftp://127.0.0.1/hush", None, CloseReason.FORBIDDEN),
            ]
        ):
            ref = LinkRef(1, generation)
            kit.do(OpenSocket(link=ref, url=url, within=within))
            closed = await kit.expect(SocketClosed)
            assert (closed.link, closed.reason) == (ref, reason)
            assert "hush" not in closed.detail

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    run(loop, scenario)


@ON_EVERY_LOOP
def test_a_connection_that_falls_silent_is_noticed(loop):
    def serve(connection):
        accept(connection)
        while True:
            pings.append(read_frame(connection))

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        closed = await kit.expect(SocketClosed)
        assert (closed.reason, closed.code) == (CloseReason.TIMEOUT, 1006)

    pings = []
    with Server(serve) as server:
        run(loop, scenario, limits=Limits(ping_seconds=0.1))
    assert pings
    assert set(pings) == {(9, b"")}


@ON_EVERY_LOOP
def test_a_server_that_is_silent_while_it_is_sent_to_is_hung_up_on(loop):
    def serve(connection):
        accept(connection)
        while connection.recv(65_536):
            pass

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        end = time.monotonic() + 40
        while time.monotonic() < end:
            kit.do(frame(1, b"anybody?"))
            await kit.until(lambda: True)
            if closed := [inp.reason for inp in kit.seen if isinstance(inp, SocketClosed)]:
                assert closed == [CloseReason.TIMEOUT]
                return
            await kit.sleep(0.01)
        raise AssertionError

    with Server(serve) as server:
        run(loop, scenario, limits=Limits(ping_seconds=0.4))


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_loop_that_stood_still_blames_nobody(loop):
    """What came meanwhile was not read, which is no silence of the server's."""

    def serve(connection):
        accept(connection)
        while True:
            opcode, data = read_frame(connection)
            connection.sendall(packed(10 if opcode == 9 else opcode, data))

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        time.sleep(2.0)  # noqa: ASYNC251 - that is the point: four times what a silence may last
        kit.do(frame(1, b"still there?"))
        await kit.until(lambda: frames(kit) == [b"still there?"])

    with Server(serve) as server:
        run(loop, scenario, limits=Limits(ping_seconds=0.16))


@ON_EVERY_LOOP
def test_a_quiet_connection_that_answers_pings_stays(loop):
    def serve(connection):
        accept(connection)
        # More pings than may stay without an answer.
        for _ in range(5):
            assert read_frame(connection) == (9, b"")
            connection.sendall(packed(10))
        kept.set()
        assert read_frame(connection) == (2, b"still there?")
        connection.sendall(packed(2, b"yes"))
        connection.recv(1)

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        await kit.until(kept.is_set)
        kit.do(frame(1, b"still there?"))
        await kit.until(lambda: frames(kit) == [b"yes"])

    kept = threading.Event()
    with Server(serve) as server:
        run(loop, scenario, limits=Limits(ping_seconds=0.5))


@ON_EVERY_LOOP
def test_a_server_that_does_not_read_holds_back_credits_and_nothing_else(loop):
    def serve(connection):
        accept(connection)
        connection.sendall(packed(2, b"hello"))
        go_on.wait(40)
        while connection.recv(65_536):
            pass

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        await kit.until(lambda: frames(kit) == [b"hello"])
        full = "the send queue is full"
        sent, before = 0, 0
        # Until the kernel takes no more, and what waits is as much as may wait.
        while True:
            kit.do(*(frame(n, bytes(16_000)) for n in range(sent, sent + 100)))
            sent += 100
            await kit.until(lambda: True)
            await kit.sleep(0.02)
            refused = len(acknowledged(kit, error=full))
            if refused - before == 100:
                break
            before = refused
        # What neither the kernel has nor was refused is what waits.
        accounted = lambda: len(acknowledged(kit)) + len(acknowledged(kit, error=full))
        await kit.until(lambda: sent - accounted() <= 1_048_576 // 16_000 + 5)
        go_on.set()
        await kit.until(lambda: accounted() == sent)

    go_on = threading.Event()
    with Server(serve) as server:
        try:
            run(loop, scenario)
        finally:
            go_on.set()


@ON_EVERY_LOOP
def test_what_waits_is_sent_before_closing_as_long_as_the_drain_lasts(loop):
    def serve(server):
        try:
            while True:
                got.append(server.recv())
                time.sleep(0.001)
        except ConnectionClosed as closed:
            ended.append(closed.rcvd.code)

    async def scenario(kit):
        await kit.open(url)
        kit.do(*(frame(n, bytes(10_000)) for n in range(100)), CloseSocket(link=REF, drain=40.0), frame(101, b"late"))
        closed = await kit.expect(SocketClosed)
        assert closed.reason is CloseReason.CLIENT

    got, ended = [], []
    with websocket_server(serve) as url:
        run(loop, scenario)
    assert (len(got), ended) == (100, [1000])


@ON_EVERY_LOOP
def test_a_server_that_does_not_close_is_hung_up_on(loop):
    def serve(connection):
        accept(connection)
        while True:
            got.append(read_frame(connection))

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        kit.do(CloseSocket(link=REF))
        closed = await kit.expect(SocketClosed)
        assert (closed.reason, closed.code) == (CloseReason.CLIENT, 1006)

    got = []
    with Server(serve) as server:
        run(loop, scenario, limits=Limits(close_seconds=0.2))
    assert got == [(8, struct.pack(">H", 1000))]


@ON_EVERY_LOOP
def test_a_socket_that_is_opening_can_be_given_up(loop):
    async def scenario(kit):
        kit.do(OpenSocket(link=REF, url=server.url(scheme="ws")))
        await kit.until(lambda: server.connections)
        kit.do(CloseSocket(link=REF))
        closed = await kit.expect(SocketClosed)
        assert closed.reason is CloseReason.CLIENT
        await kit.until(lambda: ended)
        assert kit.seen == []

    ended = []

    def serve(connection):
        while connection.recv(1_000):
            pass
        ended.append(True)

    with Server(serve) as server:
        run(loop, scenario)


@ON_EVERY_LOOP
def test_abandoned_it_hangs_up_and_says_nothing(loop):
    def serve(server):
        with contextlib.suppress(ConnectionClosed):
            server.recv()
        codes.append(server.close_code)

    async def scenario(kit):
        threads = [thread for thread in threading.enumerate() if thread.name == "dcl-comms net"]
        assert len(threads) == (loop == "polled")
        await kit.open(url)
        kit.do(OpenSocket(link=LinkRef(2, 1), url=url))
        kit.link.abandon()
        kit.link.abandon()
        kit.do(frame(1, b"x"))
        end = time.monotonic() + 40
        while (any(thread.is_alive() for thread in threads) or not codes) and time.monotonic() < end:
            await kit.sleep(0.01)
        assert not any(thread.is_alive() for thread in threads)
        assert not kit.link.drain(kit, now=0.0, limit=10)
        assert kit.seen == []

    codes = []
    with websocket_server(serve) as url:
        run(loop, scenario)
    assert 1006 in codes


def last_words(loop, end, *, floods=False):
    """What a server reads of a socket with a farewell whose program ends in the midst of its work: opcode and data of each frame."""

    def serve(connection):
        accept(connection)
        if floods:
            # What is unread when a socket is closed takes back what was sent last.
            flood = threading.Thread(target=pour, args=(connection,))
            flood.start()
        with contextlib.suppress(OSError, EOFError):
            while True:
                heard.append(read_frame(connection))
                if heard[-1] == (2, b"farewell"):
                    break
        if floods:
            flood.join(20)
        said.set()

    def pour(connection):
        with contextlib.suppress(OSError):
            for _ in range(50):
                connection.sendall(packed(2, bytes(10_000)))

    async def scenario(kit):
        await kit.open(server.url("/", "ws"), farewell=b"farewell")
        await end(kit)

    heard, said = [], threading.Event()
    with Server(serve) as server:
        run(loop, scenario, abandons=False)
        assert said.wait(20)
    return heard


async def ends_at_once(kit):
    kit.do(*[frame(token, b"x" * 100) for token in range(20)])


async def ends_after_a_turn(kit):
    await ends_at_once(kit)
    await kit.sleep(0)


async def ends_in_its_work(kit):
    await ends_at_once(kit)
    await kit.sleep(0.01)
    await ends_at_once(kit)


async def lets_go_and_ends(kit):
    await ends_at_once(kit)
    kit.link.abandon()


async def lets_go_and_goes_on(kit):
    await ends_at_once(kit)
    kit.link.abandon()
    await kit.sleep(0.5)


ENDINGS = [ends_at_once, ends_after_a_turn, ends_in_its_work, lets_go_and_ends, lets_go_and_goes_on]


# Without a loop it ends with its process: test_livekit_faults.py.
@pytest.mark.parametrize(
    ("loop", "end"), [(loop, end) for loop in LOOPS for end in ENDINGS[3 if loop == "polled" else 0 :]]
)
@pytest.mark.parametrize("floods", [False, True], ids=["quiet", "flooded"])
def test_whoever_ends_with_an_open_socket_says_farewell(loop, end, floods):
    for _ in range(5):
        heard = last_words(loop, end, floods=floods)
        assert heard[-1:] == [(2, b"farewell")]
        # What went before is whole.
        assert set(heard[:-1]) <= {(2, b"x" * 100)}


@pytest.mark.parametrize("cancelled", ["before it begins", "in its midst"])
def test_a_stream_of_trio_tells_whether_it_was_broken_off(cancelled):
    """What follows would be read as the rest of it."""

    async def main():
        stream = await TrioNet().dial("127.0.0.1", server.port, tls=None, host="")
        assert not stream.torn
        with trio.CancelScope(deadline=trio.current_time() + (0.2 if cancelled == "in its midst" else 0)) as scope:
            await stream.send(bytes(20_000_000))
        assert scope.cancelled_caught
        torn = stream.torn
        stream.abort()
        return torn

    over = threading.Event()
    with Server(lambda connection: over.wait(20)) as server:
        assert trio.run(main) is (cancelled == "in its midst")
        over.set()


def waiting(kit):
    """Take what waits, which is more than one turn takes; gives the messages."""
    before = len(frames(kit))
    while kit.link.drain(kit, now=0.0, limit=1_000):
        pass
    return frames(kit)[before:]


@ON_EVERY_LOOP
@pytest.mark.parametrize("size", [0, 1, 1_000])
def test_an_inbox_that_nobody_empties_is_bounded_and_loses_nothing(loop, size):
    """What waits counts, an empty message too; beyond half of the limit nothing is read until there is room."""
    count = 500 if size > 1 else 5_000

    def serve(connection):
        accept(connection)
        go_on.wait(40)
        connection.sendall(packed(2, b"x" * size) * count + packed(9, b"all"))
        read.append(read_frame(connection))
        connection.recv(1)

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        wakes = kit.wakes
        go_on.set()
        while kit.wakes < wakes + 2:  # the first message; and that no more is read
            await kit.sleep(0.01)
        await kit.sleep(0.1)
        if loop != "polled":  # a thread would go on as soon as there is room
            assert 50_000 < len(waiting(kit)) * (size + 128) <= 100_000
            assert read == []
        told = await kit.expect(PacketsDropped)
        assert (told.link, told.count) == (REF, 0)
        await kit.until(lambda: read and len(frames(kit)) == count)
        assert set(frames(kit)) == {b"x" * size}
        assert all(inp.count == 0 for inp in kit.seen if isinstance(inp, PacketsDropped))

    read, go_on = [], threading.Event()
    with Server(serve) as server:
        run(loop, scenario, limits=Limits(inbox_bytes=100_000))
    assert read == [(10, b"all")]


@ON_EVERY_LOOP
def test_what_has_no_room_at_all_is_counted(loop):
    def serve(connection):
        accept(connection)
        connection.sendall(packed(2, bytes(1_000)) * 3 + packed(2, b"x"))
        connection.recv(1)

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        await kit.until(lambda: frames(kit))
        assert frames(kit) == [b"x"]
        assert sum(inp.count for inp in kit.seen if isinstance(inp, PacketsDropped)) == 3

    with Server(serve) as server:
        run(loop, scenario, limits=Limits(inbox_bytes=1_000))


@ON_EVERY_LOOP
@pytest.mark.parametrize("how", ["close", "abandon", "silent"])
def test_a_socket_that_reads_no_further_ends_all_the_same(loop, how):
    def serve(connection):
        accept(connection)
        with contextlib.suppress(OSError):
            connection.sendall(packed(2, bytes(1_000)) * 5_000)
            while connection.recv(65_536):
                pass

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        await kit.sleep(1.0 if how == "silent" else 0.3)
        if how == "abandon":
            kit.link.abandon()
            return
        if how == "close":
            kit.do(CloseSocket(link=REF, drain=0.1))
        closed = await kit.expect(SocketClosed, timeout=40.0)
        assert closed.reason is (CloseReason.CLIENT if how == "close" else CloseReason.TIMEOUT)
        # It was not cut off for a silence that was ours.
        assert how == "close" or len(frames(kit)) == 5_000

    limits = Limits(inbox_bytes=100_000, close_seconds=0.2, ping_seconds=0.2 if how == "silent" else 20.0)
    with Server(serve) as server:
        run(loop, scenario, limits=limits)


KINDS = {
    "messages": packed(2, b"x"),
    "empty": packed(2),
    "text": packed(1),
    "pings": packed(9),
    "pongs": packed(10),
    "fragments": packed(2, fin=False) + packed(0, fin=False) * 20 + packed(0),
}


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_read_is_handled_in_pieces_between_which_others_have_their_turn(loop, kind, monkeypatch):
    """Whatever the frames are: the longest piece has as many as Limits.turn_inputs says, and they come at once."""
    handled = [0]

    def receive_data(protocol, data=b""):
        handled[-1] += 1
        return library(protocol, data)

    def serve(connection):
        accept(connection)
        go_on.wait(40)
        connection.sendall(KINDS[kind] * 4_000 + packed(2, b"end"))
        while connection.recv(65_536):
            pass

    async def scenario(kit):
        await kit.open(server.url(scheme="ws"))
        handled.append(0)
        go_on.set()
        while frames(kit)[-1:] != [b"end"]:
            before = len(frames(kit))
            while kit.link.drain(kit, now=0.0, limit=1_000):
                pass
            if kind in {"messages", "empty"}:
                handled[-1] += len(frames(kit)) - before
            handled.append(0)
            await kit.sleep(0)

    go_on = threading.Event()
    library = ClientProtocol.receive_data
    monkeypatch.setattr(ClientProtocol, "receive_data", receive_data)
    with Server(serve) as server:
        run(loop, scenario, limits=Limits(turn_inputs=64))
    assert sum(handled) > 4_000
    # A step of its own when the bytes come, and one of the task's, between two looks.
    assert 64 <= max(handled) <= 2 * 64 + 1


@ON_EVERY_LOOP
def test_two_sockets_of_one_name_are_misuse(loop):
    async def scenario(kit):
        await kit.open(url)
        with pytest.raises(LocalProtocolError, match="count the generation up"):
            await kit.open(url)

    with websocket_server(lambda server: server.recv()) as url:
        run(loop, scenario)


@ON_EVERY_LOOP
def test_nothing_of_what_is_sent_is_logged(loop, caplog):
    caplog.set_level(logging.DEBUG)

    async def scenario(kit):
        await kit.open(url.replace("/ws", "/ws?token=hush"))
        kit.do(frame(1, b"hush"))
        await kit.until(lambda: frames(kit))

    quiet = logging.Logger("test server", logging.ERROR)  # noqa: LOG001 - the server's own log is not meant
    with websocket_server(lambda server: [server.send(message) for message in server], logger=quiet) as url:
        run(loop, scenario)
    assert "hush" not in caplog.text


@ON_EVERY_LOOP
def test_several_sockets_and_requests_share_a_link(loop):
    async def scenario(kit):
        refs = [LinkRef(n, 1) for n in range(1, 21)]
        kit.do(*(OpenSocket(link=ref, url=url) for ref in refs))
        await kit.until(lambda: sum(isinstance(inp, SocketOpened) for inp in kit.seen) == 20)
        kit.do(*(SendFrame(link=ref, token=1, data=bytes([ref.link])) for ref in refs))
        await kit.until(lambda: len(frames(kit)) == 20)
        assert {inp.link: inp.data for inp in kit.seen if isinstance(inp, FrameReceived)} == {
            ref: bytes([ref.link]) for ref in refs
        }
        kit.do(CloseSocket(link=refs[0]))
        assert (await kit.expect(SocketClosed)).link == refs[0]

    with websocket_server(lambda server: [server.send(message) for message in server]) as url:
        run(loop, scenario)
