"""``station``: the server, its page, and what is looked at, until it is interrupted."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from dcl_comms_station.loops import run
from dcl_comms_station.terminal import complain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dcl_comms_station.loops import Loop
    from dcl_comms_station.visitor import Visitor
    from dcl_comms_station.web.sources import Order

__all__ = ["run_station"]


def run_station(
    loop: Loop,
    order: Order,
    visitors: list[Visitor],
    write: Callable[[str], object],
    *,
    port: int,
    folder: Path,
    browser: bool,
    read_only: bool,
    timeout: float,
) -> None:
    """Serve until interrupted.  Failed: the port can't be had."""
    from dcl_comms_station.web.browser import Doorway  # noqa: PLC0415 - for this command only
    from dcl_comms_station.web.serve import ServerThread  # noqa: PLC0415
    from dcl_comms_station.web.sources import Sources, wallets_of  # noqa: PLC0415
    from dcl_comms_station.web.station import Station  # noqa: PLC0415

    station = Station(wallets=wallets_of(visitors))
    sources = Sources(station, visitors, folder, timeout=timeout)
    station.asked = sources.asked
    server = ServerThread(station, port)
    with ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        token = station.tokens.looking if read_only else station.tokens.acting
        url = f"{server.url}/#token={token}"
        write(url)
        if not station.files:
            complain("the page is not built: only programs can speak to this Station")
        if browser:
            doorway = Doorway(url)
            stack.callback(doorway.close)
            station.on_first_page = doorway.close
            doorway.open()
            complain("opening it in a browser; where none opens, use the link above.  Ctrl-C ends it")
        else:
            complain("open it in a browser of this machine.  Ctrl-C ends it")
        sources.order(order)
        run(loop, sources.attend)
