"""``realm``: a realm on loopback until it is interrupted."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, TypedDict, Unpack

from dcl_comms_drivers.realm.embedded import EmbeddedRealm, RealmSettings
from dcl_comms_drivers.realm.livekit_server import LiveKitServer, ServerProblem, ServerUnavailable

from dcl_comms_station.exits import Exit, Failed
from dcl_comms_station.terminal import complain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

__all__ = ["Where", "find_livekit", "host_realm"]

_GLANCE_SECONDS: Final = 0.5


class Where(TypedDict):
    """Where a realm listens, and whom it answers."""

    port: int
    hosts: Sequence[str]
    origins: Sequence[str]


def host_realm(
    write: Callable[[str], object],
    *,
    livekit: bool | None,
    build: bool,
    islands: Literal["pulse", "heartbeats"],
    **where: Unpack[Where],
) -> None:
    """Serve a realm until KeyboardInterrupt.  ``livekit`` None: if there is a livekit-server, or ``build`` makes one.

    Failed: no livekit-server where one is wanted, one that ends by itself, or the port is taken.
    """
    server = None if livekit is False else find_livekit(required=livekit is True, build=build)
    holder: AbstractContextManager[object] = nullcontext() if server is None else server
    with holder:
        asyncio.run(_serve(write, server, RealmSettings(islands=islands), where))


def find_livekit(*, required: bool = False, build: bool = False) -> LiveKitServer | None:
    """Start a livekit-server, with ``build`` one that is built if need be; None: there is none, as stderr says.

    Failed(NETWORK): there is none, and it is ``required``.
    """
    try:
        return _start_livekit(build=build)
    except ServerUnavailable as error:
        if required:
            raise Failed(Exit.NETWORK, str(error)) from None
        complain(f"{error}: so rooms are ws-rooms")
        return None


def _start_livekit(*, build: bool) -> LiveKitServer:
    if find_spec("livekit") is None:
        hint = 'not looked for, as the client is missing: pip install "dcl-comms[livekit]"'
        raise ServerUnavailable(ServerProblem.NOT_FOUND, hint)
    return LiveKitServer.start(build=build)


async def _serve(
    write: Callable[[str], object], server: LiveKitServer | None, settings: RealmSettings, where: Where
) -> None:
    realm = EmbeddedRealm(livekit=server or False, settings=settings, **where)
    try:
        await realm.up()
    except OSError as error:
        raise Failed(Exit.USAGE, f"port {where['port']} can't be had: {error.strerror}") from None
    try:
        rooms = "ws-rooms of its own" if server is None else f"LiveKit's, at {server.url}"
        lines = (
            f"A realm is at {realm.url}; its rooms are {rooms}.  Ctrl-C ends it.",
            "",
            "In other terminals:",
            f"  dcl-comms tail {realm.url}",
            f"  dcl-comms say {realm.url} hello",
            f"  dcl-comms walk {realm.url} 0,0,0 100,0,0",
            "In a program:",
            f'  async with connect("{realm.url}", wallet=DisposableWallet()) as room: ...',
            "Services:",
            f"  {realm.url}/about",
            f"  {realm.url}/world/NAME/about",
            f"  {realm.scene_adapter_url} (POST, signed)",
            *(() if realm.pulse_at is None else (f"  {realm.pulse_at} (UDP, Pulse: islands are formed from it)",)),
            f"  ws-room:ws{realm.url.removeprefix('http')}/rooms/NAME",
        )
        for one in lines:
            write(one)
        while server is None or not server.lost:  # noqa: ASYNC110 - another process ends, and tells nobody
            await asyncio.sleep(_GLANCE_SECONDS)
        raise Failed(Exit.NETWORK, "livekit-server has ended by itself, and the realm's rooms with it")
    finally:
        await realm.stop()
