"""The session with Pulse that a world has, by what the user wants and the realm says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcl_comms_core.errors import TargetRefused
from dcl_comms_core.events import WarningCode
from dcl_comms_core.pulse.areas import ScenesOnly
from dcl_comms_core.pulse.choice import AUTO, choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.about import Realm
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.identity.guard import ChallengeGuard
    from dcl_comms_core.merged.sources import MovementSource
    from dcl_comms_core.pulse.choice import Chosen, PulseSetting
    from dcl_comms_core.room.options import RoomOptions

__all__ = ["PulseMaker"]


@dataclass(frozen=True, slots=True)
class PulseMaker:
    """Makes it, or none.  ``url``: the realm's, None if it has none; ``address``: the wallet's, None: there is none."""

    setting: PulseSetting
    url: str | None
    address: str | None
    guard: ChallengeGuard
    options: RoomOptions
    warn: Callable[[WarningCode, str], None]

    def make(self, realm: Realm, link: int, within: Place | None) -> MovementSource | None:
        """Make one of what the realm says of itself, a link's number and where the realm was reached."""
        if self.address is None:
            return None
        by_itself = self.setting == AUTO or (isinstance(self.setting, ScenesOnly) and self.setting.at is None)
        if by_itself and realm.pulse_problem:
            self.warn(WarningCode.PULSE_UNREADABLE, realm.pulse_problem)
        try:
            chosen = choose(self.setting, url=self.url, realm=realm, place=within)
        except TargetRefused as error:
            self.warn(WarningCode.PULSE_UNREADABLE, str(error))
            return None
        return None if chosen is None else self._session(chosen, link, self.address)

    def _session(self, chosen: Chosen, link: int, address: str) -> MovementSource:
        from dcl_comms_core.pulse.session import PulseSession  # noqa: PLC0415 - for realms that have it

        options, where = self.options, chosen.address
        # Who we are may be told whom the user names, the Foundation, and the realm's own host; else as the guard says.
        trusted = chosen.within is None or (self.url is not None and where.is_at(self.url))
        return PulseSession(
            where.host,
            where.port,
            address=address,
            link=link,
            scenes=chosen.scenes,
            guard=None if trusted else self.guard,
            within=chosen.within,
            limits=options.limits,
            entropy=options.entropy + link,
            reconnect=options.reconnect,
        )
