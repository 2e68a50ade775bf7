"""What requests carry is in no frame of an error, no repr and no log."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback

import pytest
import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import polled
from dcl_comms_drivers import trio as on_trio
from rigs.drivers.net import LOOPS, REF, Site, answer, run, websocket_server

from dcl_comms_core import (
    Fetch,
    FrameReceived,
    InvalidConnectionString,
    LocalProtocolError,
    RequestFailed,
    SendFrame,
    TargetRefused,
)

SECRET = "HUSHHUSHHUSH0123456789abcdefHUSHHUSHHUSH"
HEADERS = (("X-Identity-Auth-Chain-0", SECRET),)


def frames(error):
    lines = []
    while error is not None:
        lines += [repr(error), repr(vars(error))]
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "dcl_comms_" in frame.f_code.co_filename:
                lines += map(repr, frame.f_locals.values())
        error = error.__cause__ or error.__context__
    return "\n".join(lines)


PAGES = {
    "garbage": b"garbage " + SECRET.encode() + b"\r\n\r\n",
    "nothing": b"",
    "refused": answer(302, location=f"data:{SECRET}"),
    "elsewhere": answer(307, location=f"http://localhost:9/{SECRET}"),
    "coding": answer(200, b"", content_encoding="br", x=SECRET),
    "length": answer(200, SECRET.encode(), content_length=999),
}


@pytest.mark.parametrize(("fetch", "start"), [(on_asyncio.fetch, asyncio.run), (on_trio.fetch, trio.run)])
@pytest.mark.parametrize("page", PAGES)
def test_a_request_that_failed_shows_none_of_it(page, fetch, start):
    async def main():
        await fetch(Fetch(url=site.url(f"/{SECRET}"), method="POST", headers=HEADERS, body=SECRET.encode()))

    with Site({f"/{SECRET}": PAGES[page]}) as site, pytest.raises((RequestFailed, TargetRefused)) as caught:
        start(main) if start is trio.run else start(main())
    assert SECRET not in frames(caught.value)
    assert SECRET.encode() not in pickle.dumps(caught.value)


@pytest.mark.parametrize("header", [("X", f"{SECRET}\n"), ("Host", SECRET), (f"{SECRET} x", "y")])
def test_nor_does_one_that_can_not_be_sent(header):
    with pytest.raises(LocalProtocolError) as caught:
        asyncio.run(on_asyncio.fetch(Fetch(url="http://127.0.0.1:9/", headers=(header,))))
    assert SECRET not in frames(caught.value)


def test_nobody_there_still_says_what_the_system_said():
    with pytest.raises(RequestFailed) as caught:
        asyncio.run(on_asyncio.fetch(Fetch(url=f"http://127.0.0.1:9/{SECRET}", headers=HEADERS)))
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    assert SECRET not in frames(caught.value)


@pytest.mark.parametrize("target", [f"livekit:wss://h:99999?access_token={SECRET}", f"nope:{SECRET}"])
@pytest.mark.parametrize("loop", LOOPS)
def test_connect_shows_no_connection_string_that_is_none(loop, target):
    async def main(connect):
        async with connect(target):
            pass

    with pytest.raises(InvalidConnectionString) as caught:
        if loop == "asyncio":
            asyncio.run(main(on_asyncio.connect))
        elif loop == "trio":
            trio.run(main, on_trio.connect)
        else:
            polled.open(target)
    assert SECRET not in frames(caught.value)


@pytest.mark.parametrize("loop", LOOPS)
def test_no_library_logs_what_goes_through_it(loop, caplog):
    caplog.set_level(logging.DEBUG)

    def echo(connection):
        for message in connection:
            connection.send(message)

    async def scenario(kit):
        await kit.fetch(site.url(f"/{SECRET}"), headers=HEADERS, method="POST", body=SECRET.encode())
        await kit.open(f"{url}?{SECRET}")
        kit.do(SendFrame(link=REF, token=1, data=SECRET.encode()))
        await kit.expect(FrameReceived)

    quiet = logging.Logger("the server's", logging.CRITICAL)  # noqa: LOG001 - nobody's settings shall turn it on
    with (
        Site({f"/{SECRET}": answer(200, SECRET.encode(), x=SECRET)}) as site,
        websocket_server(echo, logger=quiet) as url,
    ):
        run(loop, scenario)
    for record in caplog.records:
        assert SECRET not in record.getMessage() + repr(record.args), record.name
