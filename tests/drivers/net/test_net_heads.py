"""Whatever stands in the head of an answer comes to an answer, or to one of two documented errors: on every way to ask."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import pytest
import trio
from click.testing import CliRunner
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station.cli import cli
from rigs.drivers.heads import LOCATIONS, heads
from rigs.drivers.kit import LOOPS as KIT_LOOPS
from rigs.drivers.kit import Kit
from rigs.drivers.net import LOOPS, Site, run
from rigs.drivers.realm import realm

from dcl_comms_core import (
    Adapter,
    ChallengeGuard,
    ChatReceived,
    CloseReason,
    ConnectionLost,
    Fetch,
    Fetched,
    FetchFailed,
    LinkRef,
    OpenSocket,
    Refusal,
    RequestFailed,
    RoomClosed,
    SocketClosed,
    TargetRefused,
    read_about,
    read_answer,
)

ON_EVERY_LOOP = pytest.mark.parametrize("loop", LOOPS)
DOCUMENTED = {
    CloseReason.PROTOCOL,
    CloseReason.FORBIDDEN,
    CloseReason.UNREACHABLE,
    CloseReason.TIMEOUT,
    CloseReason.TLS,
}


def redirect(location, status=302):
    return b"HTTP/1.1 %d X\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, location)


def closed_more_than(client, times):
    """Whether the scene's room was closed so often, each time for a documented reason."""
    closed = [event.reason for event in client.all(RoomClosed) if event.room == "scene"]
    assert set(closed) <= DOCUMENTED
    return len(closed) > times


async def until(done, *clients, timeout=40.0):
    """Read everybody's events until it is so."""
    end = time.monotonic() + timeout
    while not done():
        assert time.monotonic() < end, [one.seen for one in clients]
        for one in clients:
            await one.read_for(0.02)


def pages():
    return [*map(redirect, LOCATIONS), *heads(5, 350)]


@pytest.mark.parametrize(
    "fetch_and_run", [(on_asyncio.fetch, asyncio.run), (on_trio.fetch, trio.run)], ids=["asyncio", "trio"]
)
def test_fetch_gives_an_answer_or_one_of_two_errors(fetch_and_run):
    fetch, start = fetch_and_run
    outcomes = set()

    async def main():
        for page in pages():
            site.pages["/about"] = page
            try:
                answer = await fetch(Fetch(url=site.url("/about")))
            except (TargetRefused, RequestFailed) as error:
                outcomes.add(type(error))
                assert str(error).isprintable()
            else:
                outcomes.add(type(answer))
                # What the core makes of it raises nothing either.
                headers = dict(answer.headers)
                read_answer(answer.status, headers, answer.body, unix_now=time.time())
                read_about(answer.status, headers, answer.body, url=answer.url, unix_now=time.time())

    with Site({}) as site:
        start(main) if start is trio.run else start(main())
    assert outcomes == {Fetched, TargetRefused, RequestFailed}


@ON_EVERY_LOOP
def test_a_link_says_that_a_request_failed_and_lives_on(loop):
    async def scenario(kit):
        reasons = set()
        for page in pages():
            site.pages["/"] = page
            got = await kit.fetch(site.url())
            if isinstance(got, FetchFailed):
                reasons.add(got.reason)
        return reasons

    with Site({}) as site:
        reasons = run(loop, scenario)
    assert {CloseReason.PROTOCOL, CloseReason.FORBIDDEN} <= reasons <= DOCUMENTED


@ON_EVERY_LOOP
def test_a_socket_s_handshake_is_answered_likewise(loop):
    async def scenario(kit):
        for number, page in enumerate(pages(), 1):
            site.pages["/ws"] = page
            kit.do(OpenSocket(link=LinkRef(1, number), url=site.url("/ws", "ws")))
            closed = await kit.expect(SocketClosed)
            assert closed.reason in {*CloseReason} - {CloseReason.CLIENT, CloseReason.ENGINE}, page[:200]

    with Site({}) as site:
        run(loop, scenario)


def test_what_the_core_reads_in_an_answer_may_say_anything():
    values = [location.decode("latin-1") for location in LOCATIONS]
    values += ["9" * 5_000, "-1", "\u0663", "Thu, 32 Foo 99999 99:99:99 GMT", "1e999", "\ud800", "\x00", ""]
    for value in values:
        headers = dict.fromkeys(("Retry-After", "Date", "Location", "Content-Type"), value)
        for status in (0, 200, 301, 401, 403, 429, 503, 999):
            answer = read_answer(status, headers, b"", unix_now=1.8e9)
            assert isinstance(answer, Adapter | Refusal)
            read_about(status, headers, b"", url="https://realm.example/main", unix_now=1.8e9)


@pytest.mark.parametrize("loop", KIT_LOOPS)
def test_a_gatekeeper_that_answers_so_ends_its_scene_s_search_and_not_the_realm(loop):
    locations = [b"javascript:alert(1)", b"data:,x", b"xn--:aaa", b"http://[", b"http://127.0.0.1:99999/"]
    with realm() as place, Site({}) as gatekeeper:
        guard = ChallengeGuard().allowing(place.url).allowing(gatekeeper.url())

        async def scenario(kit):
            async with (
                kit.connect(
                    place.url, wallet=DisposableWallet(), guard=guard, gatekeeper=gatekeeper.url("/get")
                ) as room,
                kit.connect(place.url, wallet=DisposableWallet()) as other,
            ):
                await until(lambda: len(room.peers) == len(other.peers) == 1, room, other)
                for number, location in enumerate(locations):
                    gatekeeper.pages["/get"] = redirect(location, 307)
                    room.enter_scene(f"bafkrei{number}", (number, 0))
                    await until(partial(closed_more_than, room, number), room)
                # It is still in its island's room.
                room.chat("still here")
                await until(lambda: other.all(ChatReceived), room, other)

        Kit(loop, heartbeat=0.05).run(scenario)


def test_the_realm_s_own_answer_ends_connect_with_its_reason():
    async def main(url):
        async with on_asyncio.connect(url, wallet=DisposableWallet()):
            pass

    with Site({}) as site:
        for page in (*map(redirect, LOCATIONS), *heads(6, 60)):
            site.pages["/about"] = page
            with pytest.raises(ConnectionLost) as caught:
                asyncio.run(main(site.url("")))
            assert str(caught.value).isprintable()


def test_the_command_line_says_it_in_a_line():
    with Site({}) as site:
        for location in (b"javascript:alert(1)", b"data:,x", b"xn--:aaa", b"http://[", b"\xff"):
            site.pages["/about"] = redirect(location)
            for arguments in (["tail", site.url("")], ["doctor", site.url("")], ["say", site.url(""), "hello"]):
                result = CliRunner().invoke(cli, [*arguments, "--json"] if arguments[0] == "tail" else arguments)
                assert isinstance(result.exception, SystemExit), (arguments, location, result.exception)
                assert result.exit_code in {3, 4}, (arguments, location, result.output)
                assert "Traceback" not in result.output
