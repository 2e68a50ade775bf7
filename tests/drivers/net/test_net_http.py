"""HTTP on every loop: real sockets on loopback, and servers that mean harm."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import time
import zlib

import pytest
import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.loops.on_asyncio import AsyncioNet
from dcl_comms_drivers.loops.on_trio import TrioNet
from dcl_comms_drivers.net.bodies import Body
from dcl_comms_drivers.net.dial import NetOptions
from dcl_comms_drivers.net.redirects import redirected
from rigs.drivers.net import LOOPS, Server, Site, answer, certificate, read_head, run

from dcl_comms_core import (
    CancelFetch,
    CloseReason,
    Fetch,
    Fetched,
    FetchFailed,
    Limits,
    LinkRef,
    LocalProtocolError,
    Place,
    RequestFailed,
    TargetProblem,
    TargetRefused,
)

ON_EVERY_LOOP = pytest.mark.parametrize("loop", LOOPS)
SIGNED = (("x-identity-auth-chain-0", "hush"), ("X-Identity-Timestamp", "1"), ("accept-language", "en"))


def get(loop, url, *, limits=None, options=None, **settings):
    async def scenario(kit):
        return await kit.fetch(url, **settings)

    return run(loop, scenario, limits=limits, **(options or {}))


@ON_EVERY_LOOP
def test_a_request_arrives_as_it_was_signed_and_its_answer_comes_back(loop):
    # Every character that a path or a query may hold after request_url().
    path = "/a%2Fb%7e~!$&'()*+,;=:@|[]%20/?q=a+b%2B|'[]&r=/?"
    with Site({path: answer(201, b"{}", X_Twice="1")}) as site:
        got = get(loop, site.url(path), method="POST", headers=SIGNED)
        ((method, asked, headers, body),) = site.asked
    assert (method, asked, body) == ("POST", path, b"")
    assert headers["host"] == f"127.0.0.1:{site.port}"
    assert headers["content-length"] == "0"
    assert headers["x-identity-auth-chain-0"] == "hush"
    assert headers["user-agent"] == "dcl-comms"
    assert headers["accept-encoding"] == "gzip"
    assert (got.status, got.body, got.place, got.url) == (201, b"{}", Place.LOOPBACK, site.url(path))
    assert ("x-twice", "1") in got.headers
    assert "hush" not in repr(got)


@ON_EVERY_LOOP
def test_any_status_is_an_answer_and_a_body_goes_along(loop):
    with Site({"/no": answer(503, b"full")}) as site:
        got = get(loop, site.url("/no"), method="POST", body=b"why", headers=(("User-Agent", "mine"),))
        assert (got.status, got.body) == (503, b"full")
        assert site.asked[0][2]["user-agent"] == "mine"
        assert site.asked[0][3] == b"why"


@ON_EVERY_LOOP
def test_a_compressed_body_is_bounded_by_what_it_holds(loop):
    bomb = zlib.compressobj(9, wbits=31)
    packed = b"".join(bomb.compress(bytes(1_000_000)) for _ in range(20)) + bomb.flush()
    good = gzip.compress(b"x" * 1_000)
    pages = {
        "/good": answer(200, good, content_encoding="gzip"),
        "/bomb": answer(200, packed, content_encoding="gzip"),
        "/cut": answer(200, good[:-9], content_encoding="gzip"),
        "/two": answer(200, good + good, content_encoding="gzip"),
        "/lie": answer(200, b"not gzip", content_encoding="gzip"),
        "/other": answer(200, b"?", content_encoding="br"),
        "/nested": answer(200, gzip.compress(good), content_encoding="gzip, gzip"),
        "/plain": answer(200, b"x" * 1_001),
    }
    assert len(packed) < 60_000

    async def scenario(kit):
        return {path: await kit.fetch(site.url(path), max_bytes=1_000) for path in pages}

    with Site(pages) as site:
        got = run(loop, scenario)
    assert got.pop("/good").body == b"x" * 1_000
    assert {failed.reason for failed in got.values()} == {CloseReason.PROTOCOL}
    assert got["/bomb"].detail == got["/plain"].detail == "a body over the limit of 1000 bytes"


def test_a_bomb_is_not_inflated_further_than_the_limit():
    packer = zlib.compressobj(9, wbits=31)
    packed = packer.compress(bytes(100_000_000)) + packer.flush()
    body = Body("gzip", 1_000)
    started = time.process_time()
    zlib.decompress(packed, wbits=31)
    whole, started = time.process_time() - started, time.process_time()
    with pytest.raises(RequestFailed):
        body.feed(packed)
    assert time.process_time() - started < whole / 4  # it is a hundredth, where the machine has nothing else to do


def test_empty_blocks_of_gzip_have_an_end_too():
    packer = zlib.compressobj(wbits=31)
    body = Body("gzip", 1_000)
    with pytest.raises(RequestFailed, match="over the limit"):
        for _ in range(100_000):
            body.feed(packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH))


def drip(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def drip_head(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"x: y\r\n")
        time.sleep(0.05)


def silent(connection):
    while connection.recv(1):
        pass


@ON_EVERY_LOOP
@pytest.mark.parametrize("page", [drip, drip_head, silent])
def test_a_slow_answer_has_an_end(loop, page):
    with Site({"/": page}) as site:
        started = time.monotonic()
        got = get(loop, site.url(), limits=Limits(fetch_seconds=0.3))
        assert (type(got), got.reason) == (FetchFailed, CloseReason.TIMEOUT)
        assert time.monotonic() - started > 0.25


def endless_head(connection):
    while True:
        connection.sendall(b"x" * 10_000)


def endless_body(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")


@ON_EVERY_LOOP
def test_garbage_is_no_answer(loop):
    pages = {
        "/garbage": b"\x00\xff" * 100 + b"\r\n\r\n",
        "/nothing": b"",
        "/half": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "/lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "/head": endless_head,
        "/body": endless_body,
    }

    async def scenario(kit):
        return {path: await kit.fetch(site.url(path), max_bytes=100_000) for path in pages}

    with Site(pages) as site:
        got = run(loop, scenario)
    assert {type(failed) for failed in got.values()} == {FetchFailed}
    assert {failed.reason for failed in got.values()} <= {CloseReason.PROTOCOL, CloseReason.NETWORK}


@ON_EVERY_LOOP
def test_a_head_has_so_many_bytes_and_no_more(loop):
    """Empty headers are what takes longest: 50 KB of them would hold the loop for 30 ms and more."""
    pages = {f"/{size}": b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * (size // 4) + b"\r\n" for size in (30_000, 50_000)}

    async def scenario(kit):
        return await kit.fetch(site.url("/30000")), await kit.fetch(site.url("/50000"))

    with Site(pages) as site:
        near, far = run(loop, scenario)
    assert (near.status, len(near.headers)) == (200, 7_500)
    assert (type(far), far.reason) == (FetchFailed, CloseReason.PROTOCOL)


@ON_EVERY_LOOP
def test_redirects_are_followed_so_far_and_no_further(loop):
    pages = {f"/{n}": answer(302, location=f"/{n - 1}") for n in range(1, 9)} | {"/0": answer(200, b"here")}

    async def scenario(kit):
        return await kit.fetch(site.url("/4")), await kit.fetch(site.url("/5"))

    with Site(pages) as site:
        near, far = run(loop, scenario)
        assert (near.body, near.url) == (b"here", site.url("/0"))
        assert (far.reason, far.detail) == (CloseReason.PROTOCOL, "more than 4 redirects")


@ON_EVERY_LOOP
def test_another_origin_gets_nothing_of_a_signed_request(loop):
    with Site({"/to": answer(200, b"elsewhere")}) as other:
        pages = {
            "/other": answer(302, location=other.url("/to")),
            "/name": answer(301, location="//localhost:PORT/to"),
            "/own": answer(307, location="to"),
            "/to": answer(200, b"own"),
        }
        with Site(pages) as site:
            pages["/name"] = answer(301, location=f"//localhost:{site.port}/to")

            async def scenario(kit):
                return [await kit.fetch(site.url(path), headers=SIGNED) for path in ("/other", "/name", "/own")]

            bodies = [got.body for got in run(loop, scenario)]
            assert bodies == [b"elsewhere", b"own", b"own"]
            (_, _, to_other, _), (*_, (_, _, to_name, _), _, (_, _, to_own, _)) = *other.asked, site.asked
    for headers in (to_other, to_name):
        assert not [name for name in headers if name.startswith("x-identity")]
        assert headers["accept-language"] == "en"
    assert to_own["x-identity-auth-chain-0"] == "hush"


def redirect(status, location, *, method="POST", url="https://a.example/x"):
    request = Fetch(url=url, method=method, headers=SIGNED, body=b"b" if method == "POST" else b"")
    return redirected(request, status, location, place=Place.PUBLIC)


def test_what_a_redirect_makes_of_a_request():
    assert redirect(303, "/y").method == "GET"
    assert redirect(302, "/y").body == b""
    assert redirect(302, "/y").within is Place.PUBLIC
    kept = redirect(308, "../y?z")
    assert (kept.method, kept.body, kept.url, kept.headers) == ("POST", b"b", "https://a.example/y?z", SIGNED)
    for elsewhere in ("https://b.example/", "https://a.example:8443/", "//a.example.evil/"):
        with pytest.raises(RequestFailed, match="redirected to another origin"):
            redirect(307, elsewhere)
        assert redirect(302, elsewhere).headers == (("accept-language", "en"),)
    for bad in ("http://a.example/", "file:///etc/passwd", "https://user@a.example/", "https://[::1", "javascript:0"):
        with pytest.raises(TargetRefused):
            redirect(303, bad)
    assert redirect(301, "https://a.example/", url="http://a.example/").url == "https://a.example/"


@ON_EVERY_LOOP
def test_a_redirect_leads_nowhere_that_its_server_may_not_name(loop):
    pages = {
        "/1": answer(302, location="https://169.254.169.254/latest/"),
        "/2": answer(302, location="https://0.0.0.0/"),
        "/3": answer(302, location="https://user:hush@127.0.0.1/"),
    }

    async def scenario(kit):
        return [await kit.fetch(site.url(path)) for path in pages]

    with Site(pages) as site:
        for got in run(loop, scenario):
            assert got.reason is CloseReason.FORBIDDEN
            assert "hush" not in got.detail


def resolve_to(monkeypatch, *answers):
    """Have each look-up of a name give the next of these lists of addresses, and the last one again and again."""
    left = list(answers)

    async def resolve(net, host, port):
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(AsyncioNet, "resolve", resolve)
    monkeypatch.setattr(TrioNet, "resolve", resolve)


@ON_EVERY_LOOP
def test_a_public_realm_reaches_nothing_of_ours_by_any_name(loop, monkeypatch):
    resolve_to(monkeypatch, ["127.0.0.1", "::1", "10.0.0.1", "::ffff:127.0.0.1"])

    async def scenario(kit):
        urls = [site.url(host="innocent.example"), site.url(), site.url(host="localhost")]
        return [await kit.fetch(url, within=Place.PUBLIC) for url in urls]

    with Site({"/": answer(200)}) as site:
        for got in run(loop, scenario):
            assert got.reason is CloseReason.FORBIDDEN
        assert site.connections == []


@ON_EVERY_LOOP
def test_a_name_that_changes_its_mind_gains_nothing(loop, monkeypatch):
    # The second answer would be used if anybody resolved the name once more after it was judged.
    resolve_to(monkeypatch, ["127.0.0.1"], ["10.255.255.1"])
    with Site({"/": answer(200, b"first")}) as site:
        got = get(loop, site.url(host="rebound.example"), within=Place.LOOPBACK)
        assert got.body == b"first"
        assert site.asked[0][2]["host"] == f"rebound.example:{site.port}"


@ON_EVERY_LOOP
def test_the_next_address_is_tried_where_one_does_not_answer(loop, monkeypatch):
    resolve_to(monkeypatch, ["127.0.0.9", "127.0.0.1"])
    with Site({"/": answer(200, b"second")}) as site:
        assert get(loop, site.url(host="two.example")).body == b"second"
        got = get(loop, site.url(host="two.example"), limits=Limits(dial_addresses=1))
        assert got.reason is CloseReason.UNREACHABLE


@ON_EVERY_LOOP
def test_in_the_clear_is_for_loopback(loop, monkeypatch):
    resolve_to(monkeypatch, ["10.255.255.1"])
    got = get(loop, "http://lan.example/")
    assert got.reason is CloseReason.FORBIDDEN
    assert "not encrypted" in got.detail


@ON_EVERY_LOOP
def test_nobody_there(loop):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert get(loop, f"http://127.0.0.1:{port}/").reason is CloseReason.UNREACHABLE
    assert get(loop, "https://no-such-host.invalid/").reason is CloseReason.UNREACHABLE


@ON_EVERY_LOOP
def test_tls_is_checked_against_the_name_that_was_asked_for(loop, tmp_path):
    key, cert = certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    trusting = {"tls": ssl.create_default_context(cafile=cert)}
    with Site({"/": answer(200, b"secret")}, tls=server) as site:
        assert get(loop, site.url(scheme="https", host="localhost"), options=trusting).body == b"secret"
        for url, options in (
            (site.url(scheme="https"), trusting),  # another name
            (site.url(scheme="https", host="localhost"), {}),  # an authority that nobody knows
        ):
            got = get(loop, url, options=options)
            assert got.reason is CloseReason.TLS, got
            assert got.detail
        assert [path for _, path, *_ in site.asked] == ["/"]
    with Server(lambda connection: connection.sendall(b"HTTP/1.1 400 What\r\n\r\n")) as plain:
        assert get(loop, plain.url(scheme="https")).reason is CloseReason.TLS


@ON_EVERY_LOOP
def test_a_request_that_is_given_up_is_hung_up_on(loop):
    hung_up = []

    def wait(connection):
        read_head(connection)
        hung_up.append(connection.recv(1) == b"")

    async def scenario(kit):
        ref = LinkRef(3, 1)
        kit.do(Fetch(link=ref, url=server.url()))
        await kit.until(lambda: server.connections)
        await kit.sleep(0.05)
        kit.do(CancelFetch(link=ref), CancelFetch(link=ref))
        await kit.until(lambda: hung_up)
        assert kit.seen == []

    with Server(wait) as server:
        run(loop, scenario)
    assert hung_up == [True]


@ON_EVERY_LOOP
def test_so_many_requests_at_once(loop):
    async def scenario(kit):
        kit.do(*(Fetch(link=LinkRef(3, n), url=site.url()) for n in range(4)))
        failed = await kit.expect(FetchFailed)
        assert (failed.link, failed.reason) == (LinkRef(3, 3), CloseReason.OVERFLOW)
        assert kit.wakes

    with Site({"/": silent}) as site:
        run(loop, scenario, limits=Limits(fetches=3))


@ON_EVERY_LOOP
@pytest.mark.parametrize("header", [("Host", "evil"), ("x", "a\r\nb: c"), ("content-length", "7"), ("x", "é")])
def test_misuse_is_raised_by_the_link(loop, header):
    async def scenario(kit):
        with pytest.raises(LocalProtocolError, match="a header"):
            await kit.fetch("http://127.0.0.1:9/", headers=(header,))

    run(loop, scenario)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_fetch_for_applications(loop):
    module, runner = (on_asyncio, asyncio.run) if loop == "asyncio" else (on_trio, trio.run)

    async def scenario():
        got = await module.fetch(Fetch(url=site.url()))
        assert isinstance(got, Fetched)
        assert got.body == b"hello"
        with pytest.raises(TargetRefused) as refusal:
            await module.fetch(Fetch(url=site.url(), within=Place.PUBLIC))
        assert refusal.value.problem is TargetProblem.PLACE
        with pytest.raises(RequestFailed, match="no answer in time"):
            await module.fetch(Fetch(url=site.url("/silent")), NetOptions(limits=Limits(fetch_seconds=0.1)))

    with Site({"/": answer(200, b"hello"), "/silent": silent}) as site:
        runner(scenario) if loop == "trio" else runner(scenario())
