"""The server's thread: uvicorn on a loop of its own, from when it listens until it is told to end."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.extras import needs

with needs("station"):
    import uvicorn

from dcl_comms_station.exits import Exit, Failed
from dcl_comms_station.web.app import make_app
from dcl_comms_station.web.gate import Gate

if TYPE_CHECKING:
    from dcl_comms_station.web.station import Station

__all__ = ["ServerThread"]

HOST: Final = "127.0.0.1"
_END_SECONDS: Final = 10.0


class ServerThread:
    """``with ServerThread(station, port):`` it listens, and ends with the block."""

    def __init__(self, station: Station, port: int = 0) -> None:
        self._station = station
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((HOST, port))
        except OSError as error:
            self._socket.close()
            raise Failed(Exit.USAGE, f"port {port} can't be had: {error.strerror}") from None
        self.port: int = self._socket.getsockname()[1]
        app = make_app(station, station.files)
        self._gate = Gate(
            app, station.tokens, port=lambda: self.port, on_wrong=station.wrong_token, limits=station.limits
        )
        config = uvicorn.Config(
            self._gate,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="websockets-sansio",
            ws_max_size=station.limits.page_bytes + 1_024,
            ws_per_message_deflate=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="dcl-comms station", daemon=True)
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Listen.  What keeps it from it is raised."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Tell pages, and end."""
        self._station.end()
        self._server.should_exit = True
        self._thread.join(_END_SECONDS)
        self._socket.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised where it was started
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._station.start(asyncio.get_running_loop())
        job = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not job.done():  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.005)
        self._ready.set()
        try:
            await job
        finally:
            self._station.stopped()
