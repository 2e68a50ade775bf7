"""``watch(room, tap)``: the page for a program's own room, on asyncio, on trio, and polled."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from itertools import count

import pytest
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import polled
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station import watch
from rigs.drivers.page import beside, names_of

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.tap import QuietTap

_numbers = count(1)


def target(identity="bot"):
    return f"simulator:watch-{next(_numbers)}?identity={identity}"


def looks(page, url, seen, over):
    """A page, in a thread: it waits for the room, has it say something, and sees that."""
    try:
        shown = page(url)
        state = shown.until(lambda: shown.last("state", state="open"))
        seen["state"] = state
        seen["answer"] = shown.do("chat", text="said by a page")
        seen["chat"] = shown.until(lambda: shown.last("chat", text="said by a page", state="taken"))
        seen["refused"] = shown.do("open", own={"bots": 1})
    finally:
        over()


def assert_seen(seen):
    assert (seen["state"]["source"], seen["state"]["id"]) == ("watch", "bot")
    assert seen["answer"] == {"python": "room.chat('said by a page')"}
    assert seen["chat"]["ours"] is True
    assert seen["refused"]["code"] == "unavailable"


def test_on_asyncio(page):
    seen: dict = {}

    async def main():
        tap = watch.tap()
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with (
            on_asyncio.connect(target(), tap=tap) as room,
            watch(room, tap, tell=lambda url: seen.update(url=url)) as shown,
        ):
            assert seen["url"] == shown.url
            looker = threading.Thread(
                target=looks, args=(page, shown.url, seen, lambda: loop.call_soon_threadsafe(over.set))
            )
            looker.start()
            await over.wait()
            looker.join()

    asyncio.run(main())
    assert_seen(seen)


def test_on_trio(page):
    import trio

    seen: dict = {}

    async def main():
        tap = watch.tap()
        async with on_trio.connect(target(), tap=tap) as room, watch(room, tap, tell=lambda _: None) as shown:
            await trio.to_thread.run_sync(looks, page, shown.url, seen, lambda: None)

    trio.run(main)
    assert_seen(seen)


def test_polled(page):
    seen: dict = {}
    tap = watch.tap()
    over = threading.Event()
    with polled.open(target(), tap=tap) as room, watch(room, tap, tell=lambda _: None) as shown:
        looker = threading.Thread(target=looks, args=(page, shown.url, seen, over.set))
        looker.start()
        while not over.is_set():
            room.wait(0.05)
            room.poll()
        looker.join()
    assert_seen(seen)


def test_the_link_may_be_for_looking_only(page, capsys):
    tap = watch.tap()
    with polled.open(target(), tap=tap) as room, watch(room, tap, read_only=True) as shown:
        assert page(shown.url).welcome["read_only"] is True
        assert shown.url in capsys.readouterr().err


def test_another_tap_is_refused():
    with polled.open(target()) as room, pytest.raises(LocalProtocolError, match=r"watch\.tap"):
        watch(room, QuietTap())


def test_the_page_s_program(dcl_realm, companion, page, capsys):
    main = names_of("station.md", 0)["main"]

    def act():
        told = ""
        while (found := re.search(r"watch it at (\S+)\n", told)) is None:
            time.sleep(0.02)
            told += capsys.readouterr().err
        shown = page(found[1])
        shown.until(lambda: shown.last("state", state="open"))
        other = companion(dcl_realm.url, wallet=DisposableWallet())
        other.await_company(1)
        other.do(lambda room: room.chat("!ping"))
        other.await_chat("pong")
        shown.until(lambda: shown.last("chat", text="!ping") and shown.last("chat", text="pong", ours=True))

    beside(main(dcl_realm.url), act)
