"""What a target needs: the session that understands it, and links that carry it."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from dcl_comms_core.adapters.connection_string import (
    Adapter,
    LiveKitAdapter,
    OfflineAdapter,
    SimulatorAdapter,
    WsRoomAdapter,
)
from dcl_comms_core.adapters.targets import parse_target
from dcl_comms_core.errors import InvalidConnectionString, LocalProtocolError
from dcl_comms_core.identity.guard import ChallengeGuard
from dcl_comms_core.room.session import RoomSession
from dcl_comms_core.room.ws_room import WsRoomSession
from dcl_comms_core.tools.bare import raises_bare
from dcl_comms_drivers.connection.ahead import for_livekit, for_room, ready
from dcl_comms_drivers.connection.late_link import LateLink
from dcl_comms_drivers.connection.signing import address_of
from dcl_comms_drivers.livekit.choice import RoomEngine, open_livekit
from dcl_comms_drivers.loops.network import Direct
from dcl_comms_drivers.net.approach import Approach

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.connection_string import ArchipelagoAdapter
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.merged.sources import IslandSource
    from dcl_comms_core.room.options import RoomSettings
    from dcl_comms_core.world.session import WorldSession
    from dcl_comms_drivers.connection.journal_file import NewSession
    from dcl_comms_drivers.loops.host import ConnectionLink, Host
    from dcl_comms_drivers.loops.network import Runner
    from dcl_comms_drivers.net.link import NetLink
    from dcl_comms_drivers.settings import Options

    Islands = Callable[[ArchipelagoAdapter, int], IslandSource]

__all__ = ["Links", "new_session", "resolve"]


@raises_bare(InvalidConnectionString)
def resolve(target: str | Adapter, limits: Limits) -> str | Adapter:
    """A realm's URL, or an adapter.  InvalidConnectionString: it is neither; LocalProtocolError: it is ``offline:``."""
    where = parse_target(target, limits=limits)
    if isinstance(where, OfflineAdapter):
        msg = "nobody is met at offline: - connect to the realm's URL, whose scenes may have rooms"
        raise LocalProtocolError(msg)
    return where


def new_session(
    where: str | Adapter, options: Options, new: NewSession, *, entropy: int, islands: Islands | None = None
) -> tuple[RoomSession | WorldSession, WorldSession | None]:
    """The session of one room, or of a realm, which is given a second time then.  ``new`` makes it of its class.

    ``islands``: as a WorldSession takes it.
    """
    common: RoomSettings = {
        "limits": options.limits,
        "entropy": entropy,
        "reconnect": options.reconnect,
        "delivery": options.delivery,
        "profile_version": options.profile_version,
        "silent": options.silent,
        "movement_codec": options.movement_codec,
        "subscribe": options.subscribe,
        "ignore": options.ignore,
        "away": options.away,
        "tap": options.tap,
    }
    # A realm's rooms have a ``seen`` of their own.  Where there is no realm, nobody knows of a profile of ours.
    version = None if options.looks_up else options.profile_version
    single: RoomSettings = {**common, "seen": options.seen, "profile_version": version}
    if isinstance(where, LiveKitAdapter | SimulatorAdapter):
        return new(RoomSession, where, **single), None
    if isinstance(where, WsRoomAdapter):
        address = address_of(options.wallet, "a ws-room")
        guard = options.guard or ChallengeGuard(limits=options.limits).allowing(where.url)
        return new(WsRoomSession, where, address=address, guard=guard, **single), None
    from dcl_comms_core.world.session import WorldSession  # noqa: PLC0415 - a room alone needs none

    realm = new(
        WorldSession,
        where,
        address=None if options.wallet is None else address_of(options.wallet, "a realm"),
        guard=options.guard,
        position=options.position,
        gatekeeper=options.gatekeeper,
        realm_name=options.realm_name,
        secret=options.secret,
        is_guest=options.is_guest,
        plain=options.net.plain,
        heartbeat=options.heartbeat,
        pulse=options.pulse,
        islands=islands,
        **common,
    )
    return realm, realm


class Links:
    """Makes the links of one connection.  ``wake`` and ``turn``: see NetLink."""

    def __init__(self, host: Host, options: Options, wake: Callable[[], None], turn: Callable[[], None]) -> None:
        self._host = host
        self._options = options
        self._wake = wake
        self._turn = turn
        # A host has one, and all rooms may write to it.
        self._wake_fd = cache(partial(host.wake_fd, turn))

    def room(self, adapter: Adapter) -> ConnectionLink:
        """A link for a room of LiveKit's, or for a simulated one.  Raises EngineUnavailable."""
        options = self._options
        if isinstance(adapter, SimulatorAdapter):
            # For tests and demos: the most of programs never need them.
            from dcl_comms_core.simulation.settings import parse_simulator  # noqa: PLC0415
            from dcl_comms_drivers.connection.memory_link import MemoryLink  # noqa: PLC0415

            return MemoryLink(parse_simulator(adapter.detail), self._wake, self._host.now())
        assert isinstance(adapter, LiveKitAdapter)  # noqa: S101 - of two kinds
        if options.own_engine and not (options.engine is RoomEngine.AUTO and self._was_silent(adapter)):
            return self._own()
        return self._package()

    def _was_silent(self, adapter: LiveKitAdapter) -> bool:
        from dcl_comms_drivers.livekit.rtc.auto import was_silent  # noqa: PLC0415 - with our own engine

        return was_silent(adapter)

    def _own(self) -> ConnectionLink:
        """A link over our own engine.  EngineUnavailable: it is not installed."""
        from dcl_comms_drivers.livekit.rtc.auto import AutoLink  # noqa: PLC0415 - the engine's own package
        from dcl_comms_drivers.livekit.rtc.link import RtcLink, load_peer  # noqa: PLC0415
        from dcl_comms_drivers.net.link import NetLink  # noqa: PLC0415 - the extra

        options, runner = self._options.net, self._host.runner()
        # Its messages are longer than those of others, as they list who is in a room.
        options = replace(options, limits=replace(options.limits, socket_bytes=options.limits.signal_bytes))
        own = RtcLink(
            self._wake,
            NetLink(self._wake, runner, options, turn=self._turn),
            load_peer(),
            limits=self._options.limits,
            entropy=secrets.randbits(64),
            bundles=isinstance(runner, Direct),
        )
        if self._options.engine is RoomEngine.RTC:
            return own
        return AutoLink(own, self._late_package, self._wake)

    def _package(self) -> ConnectionLink:
        options = self._options
        return open_livekit(
            self._wake,
            options.livekit,
            falls_back=options.sdk_fallback,
            limits=options.limits,
            wake_fd=self._wake_fd,
            way=Approach(self._host.runner, options.net),
        )

    def _late_package(self) -> ConnectionLink:
        steps = for_livekit(self._options.livekit)
        return self._package() if ready(steps) else LateLink(steps, self._wake, self._package)

    def late_room(self, adapter: Adapter) -> ConnectionLink:
        """A link for a room that is found while the loop runs: LiveKit may have to be loaded first, in a thread."""
        steps = for_room(self._options)
        if isinstance(adapter, SimulatorAdapter) or ready(steps):
            return self.room(adapter)
        return LateLink(steps, self._wake, partial(self.room, adapter))

    def net(self) -> tuple[NetLink, Runner]:
        """The way into the network, and where its work is done.  ExtraMissing: ``net`` is not installed."""
        from dcl_comms_drivers.net.link import NetLink  # noqa: PLC0415 - the extra; found out before a thread starts

        runner = self._host.runner()
        return NetLink(self._wake, runner, self._options.net, turn=self._turn), runner
