"""Whether a room that was found may be entered at all: with what we have, and from where it was named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcl_comms_core.adapters.connection_string import LiveKitAdapter, WsRoomAdapter
from dcl_comms_core.adapters.url_guard import LEADS_TO, Place, Target
from dcl_comms_core.errors import TargetProblem, TargetRefused
from dcl_comms_core.states import CloseReason
from dcl_comms_core.world.discovery import Setback, no_wallet

if TYPE_CHECKING:
    from dcl_comms_core.adapters.connection_string import Adapter

__all__ = ["Admission"]


@dataclass(frozen=True, slots=True)
class Admission:
    """``signs``: there is a wallet.  ``plain``: servers that are not on loopback may be reached in the clear."""

    signs: bool
    plain: bool

    def problem(self, adapter: Adapter, within: Place | None) -> Setback | None:
        """Why not; None: it may be tried.  What a name resolves to is the driver's to judge."""
        if isinstance(adapter, WsRoomAdapter) and not self.signs:
            return no_wallet("a ws-room wants a signature")
        if isinstance(adapter, LiveKitAdapter) and within is not None:
            try:
                target = Target.of_websocket(adapter.url)
                target.check(within=within, plain=self.plain)
                if not (target.secure or self.plain or Place.LOOPBACK in LEADS_TO[within]):
                    # In the clear it would have to be on loopback, where such a realm may not send us.
                    raise TargetRefused(TargetProblem.PLAIN, "ws: is for loopback, unless asked for")  # noqa: TRY301
            except TargetRefused as error:
                return Setback.of(CloseReason.FORBIDDEN, str(error))
        return None
