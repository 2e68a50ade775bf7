"""dcl-comms on trio, without asyncio.

::

    async with connect("livekit:wss://comms.example.com?access_token=...") as room:
        room.chat("hello")
        async for event in room:
            ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.room.session import Delivery
from dcl_comms_drivers.connection.ahead import for_requests, take_steps
from dcl_comms_drivers.connection.waiting import WaitingConnection
from dcl_comms_drivers.forever import Connect
from dcl_comms_drivers.livekit.choice import LiveKitVia
from dcl_comms_drivers.loops.on_trio import TrioHost, TrioNet
from dcl_comms_drivers.loops.run_trio import run
from dcl_comms_drivers.settings import OnFull, Subscribe

if TYPE_CHECKING:
    from dcl_comms_core.commands import Fetch
    from dcl_comms_core.inputs import Fetched
    from dcl_comms_drivers.net.dial import NetOptions

__all__ = ["Connection", "Delivery", "LiveKitVia", "OnFull", "Subscribe", "TrioHost", "connect", "fetch", "run"]

Connection = WaitingConnection
"""A room."""


connect = Connect(TrioHost, sdk_fallback=False)
"""``async with connect(...) as room``, and ``async for room in connect.forever(...)``."""


async def fetch(request: Fetch, options: NetOptions | None = None) -> Fetched:
    """Make one HTTP request; see docs/network.md.  Needs the extra ``net``.

    Raises TargetRefused, RequestFailed or LocalProtocolError.  Any status is an answer.
    """
    await take_steps(TrioHost(), for_requests(own_tls=options is not None and options.tls is not None))
    from dcl_comms_drivers.net import http  # noqa: PLC0415 - the extra

    return await http.fetch(TrioNet(), request, options)
