"""HTTP answers as they come: everything that a server may do with an answer's form, and what no answer is."""

from __future__ import annotations

import asyncio
import random
import socket
import time

import pytest
import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.loops.on_asyncio import AsyncioNet
from dcl_comms_drivers.loops.on_trio import TrioNet
from rigs.drivers.net import LOOPS, Server, Site, answer, read_head, run

from dcl_comms_core import CloseReason, Fetch, Fetched, FetchFailed, Limits, RequestFailed

ON_EVERY_LOOP = pytest.mark.parametrize("loop", LOOPS)
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def ask(loop, pages, *, limits=None, **settings):
    """What each page of a site gives."""

    async def scenario(kit):
        return {path: await kit.fetch(site.url(path), **settings) for path in pages}

    with Site(pages) as site:
        return run(loop, scenario, limits=limits)


@ON_EVERY_LOOP
def test_an_answer_may_have_any_form_that_http_has(loop):
    pages = {
        "/length": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
        "/same-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
        "/no-length": b"HTTP/1.1 200 OK\r\n\r\nbody",
        "/old": b"HTTP/1.0 200 OK\r\n\r\nbody",
        "/old-length": b"HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nbody",
        "/no-reason": b"HTTP/1.1 200\r\ncontent-length: 4\r\n\r\nbody",
        "/chunks": CHUNKED + b"1\r\nb\r\n3;name=value\r\nody\r\n0\r\n\r\n",
        "/trailers": CHUNKED + b"4\r\nbody\r\n0\r\nx: y\r\n\r\n",
        # A length beside chunks says nothing (RFC 9112, 6.3), and nothing else comes on this connection.
        "/both": CHUNKED.replace(b"\r\n\r\n", b"\r\ncontent-length: 1\r\n\r\n") + b"4\r\nbody\r\n0\r\n\r\n",
        "/bare-newlines": b"HTTP/1.1 200 OK\ncontent-length: 4\n\nbody",
        "/continue": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\n" + answer(200, b"body"),
        "/more-behind-it": answer(200, b"body") + b"HTTP/1.1 200 OK\r\n\r\nanother",
    }
    for path, got in ask(loop, pages).items():
        assert (path, type(got)) == (path, Fetched), got
        assert (path, got.status, got.body) == (path, 200, b"body")


@ON_EVERY_LOOP
def test_an_answer_without_a_body_has_none_whatever_its_head_says(loop):
    pages = {"/204": answer(204, content_length=9), "/304": answer(304, content_length=9)}
    for path, got in ask(loop, pages).items():
        assert (f"/{got.status}", got.body) == (path, b"")
    got = ask(loop, {"/": answer(200, content_length=9)}, method="HEAD")["/"]
    assert (got.status, got.body) == (200, b"")
    assert ("content-length", "9") in got.headers


@ON_EVERY_LOOP
def test_a_header_may_be_folded_repeated_or_not_ascii(loop):
    page = (
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nX-Long: one\r\n  two\r\nx-twice: 1\r\nX-Twice: 2\r\nx-e: \xe9\r\n\r\n"
    )
    headers = ask(loop, {"/": page})["/"].headers
    assert headers == (("content-length", "0"), ("x-long", "one two"), ("x-twice", "1"), ("x-twice", "2"), ("x-e", "é"))


@ON_EVERY_LOOP
def test_what_is_no_answer_is_told_as_that(loop):
    ok = b"HTTP/1.1 200 OK\r\n"
    pages = {
        "/closed-at-once": b"",
        "/closed-in-status": b"HTTP/1.1 2",
        "/closed-in-header": ok + b"content-len",
        "/closed-before-body": ok + b"content-length: 4\r\n\r\n",
        "/closed-in-body": ok + b"content-length: 4\r\n\r\nbod",
        "/closed-in-size": CHUNKED + b"4",
        "/closed-in-chunk": CHUNKED + b"4\r\nbo",
        "/closed-in-trailers": CHUNKED + b"4\r\nbody\r\n0\r\nx: y",
        "/closed-after-continue": b"HTTP/1.1 100 Continue\r\n\r\n",
        "/size-no-number": CHUNKED + b"four\r\nbody\r\n0\r\n\r\n",
        "/size-below-zero": CHUNKED + b"-4\r\nbody\r\n0\r\n\r\n",
        "/size-too-long": CHUNKED + b"4" * 21 + b"\r\nbody",
        "/chunk-without-end": CHUNKED + b"4\r\nbodybody\r\n0\r\n\r\n",
        "/length-no-number": ok + b"content-length: four\r\n\r\nbody",
        "/length-below-zero": ok + b"content-length: -4\r\n\r\nbody",
        "/length-of-digits": ok + b"content-length: " + b"9" * 5_000 + b"\r\n\r\nbody",
        "/lengths-differ": ok + b"content-length: 4, 5\r\n\r\nbody",
        "/coding": ok + b"transfer-encoding: gzip, chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        "/name-with-space": ok + b"content-length : 4\r\n\r\nbody",
        "/value-with-nul": ok + b"x: \x00\r\ncontent-length: 4\r\n\r\nbody",
        "/http2": b"HTTP/2 200\r\n\r\nbody",
        "/status": b"HTTP/1.1 20 OK\r\n\r\nbody",
        "/switching": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nbody",
        "/smtp": b"220 mail.example ESMTP\r\n",
        "/tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    }
    for path, got in ask(loop, pages).items():
        assert (path, type(got)) == (path, FetchFailed), got
        assert (path, got.reason, got.detail) == (path, CloseReason.PROTOCOL, "not an HTTP answer")


def forever(*pieces, first=b""):
    """A page that has no end; what it sent in all is ``page.sent``."""

    def page(connection):
        connection.sendall(first)
        while True:
            for piece in pieces:
                connection.sendall(piece)
                page.sent += len(piece)

    page.sent = 0
    return page


@ON_EVERY_LOOP
def test_no_part_of_an_answer_may_go_on_for_ever(loop):
    ok = b"HTTP/1.1 200 OK\r\n"
    pages = {
        "/line": forever(b"x" * 1_000),
        "/headers": forever(b"x: " + b"y" * 1_000 + b"\r\n", first=ok),
        "/many-headers": forever(b"x:y\r\n" * 100, first=ok),
        "/folded": forever(b" y\r\n" * 100, first=ok + b"x: y\r\n"),
        "/continue": forever(b"HTTP/1.1 100 Continue\r\n\r\n" * 10),
        "/body": forever(b"x" * 1_000, first=ok + b"\r\n"),
        "/chunks": forever(b"1\r\nx\r\n" * 100, first=CHUNKED),
        "/extension": forever(b"x" * 1_000, first=CHUNKED + b"4;"),
        "/extensions": forever(b"1;" + b"x" * 1_000 + b"\r\nx\r\n", first=CHUNKED),
        "/trailers": forever(b"x: y\r\n" * 100, first=CHUNKED + b"0\r\n"),
    }
    for path, got in ask(loop, pages, max_bytes=10_000).items():
        assert (path, type(got)) == (path, FetchFailed), got
        assert (path, got.reason) == (path, CloseReason.PROTOCOL)
    # What is behind that are the buffers of two sockets.
    assert max(page.sent for page in pages.values()) < 12_000_000


@ON_EVERY_LOOP
def test_a_long_head_that_is_whole_is_as_long_as_one_that_is_not(loop):
    pages = {
        "/fits": answer(200, b"body", x="y" * 30_000),
        "/long": answer(200, b"body", x="y" * 45_000),
        "/longer": answer(200, b"body", x="y" * 150_000),
    }
    got = ask(loop, pages)
    assert got["/fits"].body == b"body"
    assert got["/long"].reason is got["/longer"].reason is CloseReason.PROTOCOL


@ON_EVERY_LOOP
def test_the_body_of_a_redirect_is_not_read(loop):
    pages = {"/": forever(b"x" * 1_000, first=b"HTTP/1.1 302 X\r\nlocation: /to\r\n\r\n"), "/to": answer(200, b"there")}
    assert ask(loop, pages)["/"].body == b"there"


@ON_EVERY_LOOP
def test_an_answer_counts_although_the_request_was_not_read(loop):
    sizes = []

    def refuse(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        read_head(connection)
        connection.sendall(answer(413, b"too long"))
        sizes.append(1)
        connection.recv(1_000)
        while not done:
            time.sleep(0.01)

    done = []

    async def scenario(kit):
        got = await kit.fetch(server.url(), method="POST", body=bytes(30_000_000))
        done.append(True)
        return got

    with Server(refuse) as server:
        got = run(loop, scenario, limits=Limits(fetch_seconds=20.0))
    assert (got.status, got.body, sizes) == (413, b"too long", [1])


@ON_EVERY_LOOP
def test_a_large_request_arrives_whole(loop):
    body = random.Random(7).randbytes(3_000_000)
    with Site({"/": answer(200, b"thanks")}) as site:

        async def scenario(kit):
            return await kit.fetch(site.url(), method="PUT", body=body)

        assert run(loop, scenario).body == b"thanks"
        ((method, _, headers, arrived),) = site.asked
    assert (method, arrived == body, headers["content-length"]) == ("PUT", True, "3000000")


@ON_EVERY_LOOP
def test_each_request_says_that_its_connection_ends_with_it(loop):
    with Site({"/": answer(200)}) as site:

        async def scenario(kit):
            for _ in range(2):
                assert (await kit.fetch(site.url(), headers=(("ACCEPT", "text/plain"),))).status == 200

        run(loop, scenario)
        assert len(site.connections) == 2
        for method, _, headers, _ in site.asked:
            assert (method, headers["connection"], headers["accept"]) == ("GET", "close", "text/plain")
            assert "content-length" not in headers


class AllAtOnce:
    """A stream that gives all it has at the first time."""

    def __init__(self, data):
        self.data = [data, b""]

    async def send(self, data):
        pass

    async def receive(self):
        return self.data.pop(0)

    def abort(self):
        pass


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_byte_a_chunk_does_not_hold_the_loop(loop, monkeypatch):
    page = CHUNKED + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"
    turns = []

    async def dial(net, address, port, *, tls, host):
        turns.clear()
        return AllAtOnce(page)

    async def others(sleep):
        while True:
            turns.append(1)
            await sleep(0)

    async def asyncio_main():
        task = asyncio.create_task(others(asyncio.sleep))
        got = await on_asyncio.fetch(Fetch(url="http://127.0.0.1:9/"))
        task.cancel()
        return got

    async def trio_main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(others, trio.sleep)
            got = await on_trio.fetch(Fetch(url="http://127.0.0.1:9/"))
            nursery.cancel_scope.cancel()
        return got

    monkeypatch.setattr(AsyncioNet, "dial", dial)
    monkeypatch.setattr(TrioNet, "dial", dial)
    got = trio.run(trio_main) if loop == "trio" else asyncio.run(asyncio_main())
    assert got.body == b"x" * 20_000
    assert len(turns) > len(page) / 8_192 / 2  # of so many pieces; without pauses there would be two or three turns


def test_bytes_at_random_raise_nothing_but_what_is_documented():
    dice = random.Random(4)
    good = [
        answer(200, b"body", x="y"),
        CHUNKED + b"4\r\nbody\r\n0\r\nx: y\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nbody",
    ]
    outcomes = set()

    async def main():
        for number in range(400):
            page = bytearray(dice.choice(good))
            for _ in range(dice.randint(1, 4)):
                at = dice.randrange(len(page))
                page[at : at + dice.randint(0, 3)] = dice.randbytes(dice.randint(0, 2))
            site.pages["/"] = bytes(page)
            try:
                outcomes.add(type(await on_asyncio.fetch(Fetch(url=site.url(), max_bytes=100))))
            except RequestFailed as error:
                assert error.reason is CloseReason.PROTOCOL, (number, bytes(page), error)
                outcomes.add(type(error))

    with Site({}) as site:
        asyncio.run(main())
    assert outcomes == {Fetched, RequestFailed}
