"""One page's socket: what comes and what goes in one wait, so that its end is noticed whatever goes on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.websockets import WebSocketDisconnect

from dcl_comms_station.web.gate import SUBPROTOCOL

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.websockets import WebSocket

    from dcl_comms_station.web.station import Seat, Station

__all__ = ["serve_page"]

_CLOSE_SECONDS: Final = 1.0
"""For a page that reads nothing, which may hold up even the word that it is closed."""


async def serve_page(ws: WebSocket, station: Station) -> None:
    """Serve a page from its socket's opening to its end."""
    offered = cast("list[str]", ws.scope.get("subprotocols", []))
    await ws.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    seat = station.sit(read_only=bool(ws.scope.get("dcl.read_only")))
    try:
        code = await _serve(ws, station, seat)
    finally:
        station.leave(seat)
    if code is not None:
        # It may be gone by itself in this moment.
        with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await ws.close(code)


async def _serve(ws: WebSocket, station: Station, seat: Seat) -> int | None:  # noqa: C901, PLR0912 - one wait
    """The code that it is to be closed with; None: it is gone."""
    reading = _job(ws.receive())
    working = _job(seat.work.wait())
    sending: asyncio.Task[Any] | None = None
    try:
        while True:
            if sending is None:
                if reading.done():
                    message = reading.result()
                    if message["type"] == "websocket.disconnect":
                        return None
                    station.receive(seat, message.get("text") or message.get("bytes") or "")
                    reading = _job(ws.receive())
                frame = seat.next_frame()
                if frame is not None:
                    sending = _job(ws.send_text(frame) if isinstance(frame, str) else ws.send_bytes(frame))
                elif seat.page.closing is not None:
                    return seat.page.closing
            elif sending.done():
                if sending.exception() is not None:
                    return None  # nobody is there any more
                sending = None
                continue
            elif seat.page.closing is not None and seat.stuck:
                return seat.page.closing
            # What a page says waits while it does not take what it is told.
            waits = {working, reading} if sending is None else {working, sending}
            if sending is None and (reading.done() or seat.page.frames):
                await asyncio.sleep(0)
                continue
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                seat.work.clear()
                working = _job(seat.work.wait())
    finally:
        for job in (reading, working, sending):
            if job is not None:
                job.cancel()
        await asyncio.gather(*(job for job in (reading, working, sending) if job is not None), return_exceptions=True)


def _job(what: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.ensure_future(what)
