"""``realm``: a realm on loopback until it is interrupted."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, TypedDict, Unpack

from dcl_comms_drivers.realm.embedded import EmbeddedRealm, RealmSettings
from dcl_comms_drivers.realm.livekit_binary import find_server
from dcl_comms_drivers.realm.livekit_server import LiveKitServer, ServerProblem, ServerUnavailable
from dcl_comms_drivers.realm.rooms import RoomHost, has_rooms

from dcl_comms_station.exits import Exit, Failed
from dcl_comms_station.residents.village import village
from dcl_comms_station.terminal import complain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

__all__ = ["Where", "find_rooms", "has_real_rooms", "host_realm", "in_words"]

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
    media: bool,
    build: bool,
    islands: Literal["pulse", "heartbeats"],
    bots: int = 0,
    **where: Unpack[Where],
) -> None:
    """Serve a realm, with so many ``bots`` in it, until KeyboardInterrupt; its rooms are those of ``find_rooms``.

    Failed: there are no rooms as they are wanted, their server ends by itself, or the port is taken.
    """
    server = find_rooms(livekit=livekit, media=media, build=build)
    holder: AbstractContextManager[object] = nullcontext() if server is None else server
    with holder:
        asyncio.run(_serve(write, server, RealmSettings(islands=islands), where, bots))


def find_rooms(
    *, livekit: bool | None = None, media: bool | None = False, build: bool = False
) -> LiveKitServer | RoomHost | None:
    """Start the server of a realm's LiveKit rooms; None: its rooms are ws-rooms, and stderr says why, if not asked.

    ``media``: sound and pictures too, which needs a livekit-server; None: if one is there already.  Else it is our own
    where that is installed, or a livekit-server that is there already; ``build``: one that is built if need be.
    ``livekit``: whether it has to be one of these, or none; None: as it comes.

    Failed(NETWORK): there is none, and one has to be.  Failed(USAGE): ``media`` without LiveKit.
    """
    if media and livekit is False:
        raise Failed(Exit.USAGE, "a ws-room has neither sound nor pictures: --media or --ws-room")
    if livekit is False:
        return None
    if has_rooms() and not media and not (media is None and _has_livekit()):
        return RoomHost.start()
    try:
        return _start_livekit(build=build)
    except ServerUnavailable as error:
        if livekit or media:
            raise Failed(Exit.NETWORK, str(error)) from None
        complain(f"{error}; nor is dcl_comms_rtc, from a checkout: make rtc.  So rooms are ws-rooms")
        return None


def in_words(server: LiveKitServer | RoomHost | None) -> str:
    """Whose a realm's rooms are."""
    match server:
        case None:
            return "ws-rooms of its own"
        case RoomHost():
            return f"LiveKit's, of a server of ours at {server.url}, for packets"
        case _:
            return f"LiveKit's, of a livekit-server at {server.url}, with sound and pictures"


def has_real_rooms() -> bool:
    """Whether LiveKit's rooms can be had with what is there."""
    return has_rooms() or _has_livekit()


def _has_livekit() -> bool:
    """Whether there are a livekit-server and its client."""
    with suppress(ServerUnavailable):
        return find_spec("livekit") is not None and find_server() is not None
    return False


def _start_livekit(*, build: bool) -> LiveKitServer:
    if find_spec("livekit") is None:
        hint = 'not looked for, as the client is missing: pip install "dcl-comms[livekit]"'
        raise ServerUnavailable(ServerProblem.NOT_FOUND, hint)
    return LiveKitServer.start(build=build)


async def _serve(
    write: Callable[[str], object],
    server: LiveKitServer | RoomHost | None,
    settings: RealmSettings,
    where: Where,
    bots: int,
) -> None:
    realm = EmbeddedRealm(livekit=server or False, settings=settings, **where)
    try:
        await realm.up()
    except OSError as error:
        raise Failed(Exit.USAGE, f"port {where['port']} can't be had: {error.strerror}") from None
    try:
        lines = (
            f"A realm is at {realm.url}; its rooms are {in_words(server)}.  Ctrl-C ends it.",
            "",
            "In other terminals:",
            f"  dcl-comms tail {realm.url}",
            f"  dcl-comms chat {realm.url}",
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
        async with village(realm, bots, sounds=isinstance(server, LiveKitServer)) as names:
            if names:
                write(f"{', '.join(names)} live there: dcl-comms chat {realm.url}, and say !help")
            while server is None or not server.lost:  # noqa: ASYNC110 - another process ends, and tells nobody
                await asyncio.sleep(_GLANCE_SECONDS)
        raise Failed(Exit.NETWORK, "the rooms' server has ended by itself, and the realm's rooms with it")
    finally:
        await realm.stop()
