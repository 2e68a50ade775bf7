"""dcl-comms on trio, without asyncio.

::

    async with connect("livekit:wss://comms.example.com?access_token=...") as room:
        room.chat("hello")
        async for event in room:
            ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from dcl_comms_core.room.session import Delivery
from dcl_comms_drivers.connection.ahead import for_requests, take_steps
from dcl_comms_drivers.connection.waiting import Connecting, WaitingConnection
from dcl_comms_drivers.livekit.choice import LiveKitVia
from dcl_comms_drivers.loops.on_trio import TrioHost, TrioNet
from dcl_comms_drivers.settings import OnFull, Options, Subscribe

if TYPE_CHECKING:
    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.commands import Fetch
    from dcl_comms_core.inputs import Fetched
    from dcl_comms_drivers.net.dial import NetOptions
    from dcl_comms_drivers.settings import Settings

__all__ = ["Connection", "Delivery", "LiveKitVia", "OnFull", "Subscribe", "TrioHost", "connect", "fetch"]

Connection = WaitingConnection
"""A room."""


def connect(target: str | Adapter, **settings: Unpack[Settings]) -> Connecting:
    """Join a room, or a realm's rooms: the same as ``dcl_comms_drivers.asyncio.connect``.

    ``target``: a realm's URL, a connection string or an Adapter; ``settings``: see
    :class:`~dcl_comms_drivers.settings.Settings`.
    Entering raises ConnectionLost, InvalidConnectionString or LocalProtocolError.
    """
    return Connecting(target, Options.of(settings), TrioHost)


async def fetch(request: Fetch, options: NetOptions | None = None) -> Fetched:
    """Make one HTTP request; see docs/network.md.  Needs the extra ``net``.

    Raises TargetRefused, RequestFailed or LocalProtocolError.  Any status is an answer.
    """
    await take_steps(TrioHost(), for_requests(own_tls=options is not None and options.tls is not None))
    from dcl_comms_drivers.net import http  # noqa: PLC0415 - the extra

    return await http.fetch(TrioNet(), request, options)
