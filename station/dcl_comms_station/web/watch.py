"""The Station's page for a program's own room.

::

    tap = watch.tap()
    async with connect(target, tap=tap) as room, watch(room, tap):
        ...

On a polled connection it is ``with watch(room, tap): ...``.  The server is in a thread of its own: a busy page never
runs inside of the program's turn, and what a page does is done in the room's next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from dcl_comms_drivers.extras import needs

with needs("station"):
    import anyio
    import anyio.to_thread

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_station.board.messages import Source
from dcl_comms_station.terminal import complain
from dcl_comms_station.web.clock import unix_clock
from dcl_comms_station.web.mailbox import StationTap
from dcl_comms_station.web.serve import ServerThread
from dcl_comms_station.web.station import Station

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from dcl_comms_drivers.connection.base import BaseConnection

__all__ = ["Watch", "watch"]

_TARGET = "your own program"


def _tell(url: str) -> None:
    complain(f"watch it at {url}")


class Watch:
    """A page on a room, for the length of a ``with`` or an ``async with`` block.

    ``tap``: what ``connect`` was told, made by ``watch.tap()``.  ``port`` 0: any that is free.  ``read_only``: the link
    may look and not act.  ``tell``: called with the link, which has a token: whoever has it may act as the program.

    LocalProtocolError: the tap is another; Failed: the port can't be had; ExtraMissing: ``dcl-comms[station]`` is not
    installed.
    """

    def __init__(
        self,
        room: BaseConnection,
        tap: StationTap,
        *,
        port: int = 0,
        read_only: bool = False,
        tell: Callable[[str], object] = _tell,
    ) -> None:
        if not isinstance(tap, StationTap):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            msg = f"watch takes the tap that watch.tap() made and connect(tap=) was told, not {type(tap).__name__}"
            raise LocalProtocolError(msg)
        self._room, self._tap, self._told = room, tap, tell
        self._station = Station()
        self._server = ServerThread(self._station, port)
        tokens = self._station.tokens
        self._url = f"{self._server.url}/#token={tokens.looking if read_only else tokens.acting}"

    @staticmethod
    def tap() -> StationTap:
        """A tap for ``connect(..., tap=tap)``; it keeps what happens until the page is there, within a bound."""
        return StationTap(unix_clock())

    @property
    def url(self) -> str:
        """The link, with its token."""
        return self._url

    def __enter__(self) -> Self:
        self._server.start()
        self._station.look_at(self._tap, Source(kind="watch", target=_TARGET))
        self._station.take_hands(self._tap, self._room)
        self._told(self._url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The room has its turns meanwhile.
        await anyio.to_thread.run_sync(self._server.stop)


watch = Watch
"""``watch(room, tap)``, ``watch.tap()``."""
