"""What is waited for, said on stderr where it takes long: a silent server looks like a program that hangs."""

from __future__ import annotations

import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dcl_comms_core.commands import Fetch, OpenLink, OpenSocket
from dcl_comms_core.events import CredentialsNeeded, SignatureNeeded
from dcl_comms_core.inputs import SocketOpened
from dcl_comms_core.tap import QuietTap, Taps
from dcl_comms_station.terminal import complain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType
    from typing import Self

    from dcl_comms_drivers.connection.waiting import WaitingConnection
    from dcl_comms_drivers.settings import Settings

    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_station.loops import Loop

__all__ = ["Progress", "entered"]

_FIRST: Final = 5.0
"""Seconds without a word of ours."""


@asynccontextmanager
async def entered(loop: Loop, target: str, settings: Settings) -> AsyncGenerator[WaitingConnection]:
    """``connect``, and what it waits for is said.  A tap of the settings is told all the same."""
    with Progress() as progress:
        own = settings.get("tap")
        settings["tap"] = progress if own is None else Taps(own, progress)
        async with loop.connect(target, **settings) as room:
            progress.over()
            yield room


class Progress(QuietTap):
    """A tap of a connection, for the length of its way in: ``with Progress() as progress``, ``progress.over()``."""

    def __init__(self, pause: float = _FIRST) -> None:
        self._pause = pause
        self._began = time.monotonic()
        self._waits_for = "the way in"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over()

    def over(self) -> None:
        """We are in, or it is given up: nothing more is said."""
        self._over.set()
        self._thread.join()

    def _tell(self) -> None:
        while not self._over.wait(self._pause):
            complain(f"{time.monotonic() - self._began:.0f} s, still waiting for {self._waits_for}")

    # --- the tap

    def step(self, at: float, item: Input | Command | Event) -> None:
        """Note what was asked for last.  No more than a host and a path: a query may hold what nobody may read."""
        del at
        match item:
            case Fetch():
                url = urlsplit(item.url)
                self._waits_for = f"an answer of {url.netloc} to {item.method} {url.path or '/'}"
            case OpenSocket():
                self._waits_for = f"a WebSocket to {urlsplit(item.url).netloc}"
            case SocketOpened():
                self._waits_for = self._waits_for.replace("a WebSocket to", "the handshake with")
            case OpenLink():
                self._waits_for = f"a room ({item.adapter.protocol}:)"
            case SignatureNeeded() | CredentialsNeeded():
                self._waits_for = "the wallet's signature"
            case _:
                pass
