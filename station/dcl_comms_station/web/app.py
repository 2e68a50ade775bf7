"""The routes, behind the gate: the page's files, a sign of life, downloads, the socket.  None checks anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.extras import needs

with needs("station"):
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.responses import FileResponse, Response
    from starlette.routing import Route, WebSocketRoute

from dcl_comms_station.web.gate import HEADERS
from dcl_comms_station.web.pages import serve_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.websockets import WebSocket

    from dcl_comms_station.web.files import File
    from dcl_comms_station.web.station import Station

__all__ = ["make_app"]

_SAID: Final = {name.decode(): value.decode() for name, value in HEADERS}


def make_app(station: Station, files: Mapping[str, File]) -> Starlette:
    """The application; what it serves changes nothing."""

    async def static(request: Request) -> Response:
        file = files.get(request.url.path)
        if file is None:
            return Response(status_code=404, headers=_SAID | {"cache-control": "no-store"})
        headers = _SAID | {"cache-control": "no-cache", "etag": file.tag}
        asked = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
        if file.tag in asked:
            return Response(status_code=304, headers=headers)
        return Response(file.data, media_type=file.kind, headers=headers)

    async def alive(_: Request) -> Response:
        return Response(status_code=204, headers=_SAID | {"cache-control": "no-store"})

    async def download(request: Request) -> Response:
        only_asked = request.method == "HEAD"
        found = station.links.pop(request.path_params["key"], only_asked)
        headers = _SAID | {"cache-control": "no-store"}
        if found is None or not found.path.is_file():
            return Response(status_code=404, headers=headers)
        after = BackgroundTask(found.path.unlink, missing_ok=True) if found.is_ours and not only_asked else None
        kind = "application/octet-stream"
        return FileResponse(found.path, filename=found.name, media_type=kind, headers=headers, background=after)

    async def socket(ws: WebSocket) -> None:
        await serve_page(ws, station)

    return Starlette(
        routes=[
            Route("/alive", alive, methods=["GET"]),
            Route("/download/{key}", download, methods=["GET"]),
            WebSocketRoute("/ws", socket),
            Route("/{path:path}", static, methods=["GET"]),
        ]
    )
