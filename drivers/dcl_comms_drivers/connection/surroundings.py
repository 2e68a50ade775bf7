"""What a connection takes from the machine it runs on: chance, the wall clock, its links.  run_bot has others."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from dcl_comms_core.adapters.connection_string import Adapter, WsRoomAdapter
from dcl_comms_drivers.connection.opening import Links
from dcl_comms_drivers.connection.signing import Logins
from dcl_comms_drivers.connection.world_link import WorldLink

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.connection_string import ArchipelagoAdapter
    from dcl_comms_core.events import Event
    from dcl_comms_core.merged.sources import IslandSource
    from dcl_comms_core.world.session import WorldSession
    from dcl_comms_drivers.loops.host import ConnectionLink, Host
    from dcl_comms_drivers.net.link import NetLink
    from dcl_comms_drivers.settings import Options

__all__ = ["Carried", "Surroundings"]


class Carried(NamedTuple):
    """What carries a session."""

    link: ConnectionLink
    signing: Logins | None = None
    """The wallet at work, where somebody may ask for a signature."""
    net: NetLink | None = None
    """The network, where there is one beside the rooms."""


class Surroundings:
    """This machine."""

    islands: Callable[[ArchipelagoAdapter, int], IslandSource] | None = None
    """What says which island is ours; None: the realm's own service."""

    def entropy(self) -> int:
        """64 bits of chance: the seed of all pauses."""
        return int.from_bytes(os.urandom(8))

    def unix_now(self) -> float:
        """Unix seconds."""
        return time.time()

    def carry(
        self,
        where: str | Adapter,
        realm: WorldSession | None,
        options: Options,
        host: Host,
        *,
        wake: Callable[[], None],
        turn: Callable[[], None],
    ) -> Carried:
        """Make the link of a room, or those of a realm behind one.  ``wake`` and ``turn``: see NetLink."""
        links = Links(host, options, wake, turn)
        if isinstance(where, Adapter) and realm is None and not isinstance(where, WsRoomAdapter):
            return Carried(links.room(where))
        net, runner = links.net()
        signing = None
        if options.wallet is not None:
            signing = Logins(options.wallet, runner, wake, self.unix_now, options.limits)
        link = net if realm is None else WorldLink(realm, net, links.late_room, is_guest=options.is_guest)
        return Carried(link, signing, net)

    def seen(self, events: list[Event]) -> None:
        """Events came, before anybody reads them."""
