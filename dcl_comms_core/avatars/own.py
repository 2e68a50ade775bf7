"""Our own profile: the Avatar that we were given, or what the realm has of our wallet, offered once we are in.

=====================================  ===============================================================================
what                                   then
=====================================  ===============================================================================
an Avatar                              offered when the first room opens, to all that come too
none, and a wallet that is no guest's  asked of the realm's lambdas when the first room opens: nothing waits for it
the realm has one                      offered, with its version
the realm has none, or does not answer Warning(NO_PROFILE)
=====================================  ===============================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dcl_comms_core.avatars.person import SaidBy
from dcl_comms_core.errors import CommsError
from dcl_comms_core.events import RoomOpened, WarningCode
from dcl_comms_core.peers import PeerId

if TYPE_CHECKING:
    from dcl_comms_core.avatars.avatar import Avatar
    from dcl_comms_core.avatars.people import Asking, People
    from dcl_comms_core.events import Event

__all__ = ["Offers", "OwnProfile"]


class Offers(Protocol):
    """Who tells a profile: a session."""

    def offer_profile(self, version: int, serialized: str, *, now: float) -> None:
        """Announce it, and answer who asks for it."""
        ...

    def warn(self, code: WarningCode, text: str) -> None:
        """Tell a Warning."""
        ...


class OwnProfile:
    """Offers our profile when the first room opens.  ``avatar``: None: what the realm has of ``address``, if any."""

    def __init__(self, session: Offers, people: People, *, avatar: Avatar | None, address: str | None) -> None:
        self._session = session
        self._people = people
        self._avatar = avatar
        self._address = address
        self._begun = False
        self._asking: Asking | None = None

    def take(self, events: list[Event], *, now: float) -> None:
        """Hear of what the session tells."""
        if self._begun:
            return
        opened = next((event for event in events if isinstance(event, RoomOpened)), None)
        if opened is None:
            return
        self._begun = True
        if self._avatar is not None:
            self._offer(self._avatar.version, self._avatar.serialized(opened.identity.key), now)
        elif self._address is not None:
            self._asking = self._people.ask(PeerId(self._address), now=now)
            self.look(now)

    def look(self, now: float) -> None:
        """See whether the realm has answered."""
        if self._asking is None or self._asking.person is None:
            return
        person, self._asking = self._asking.person, None
        if person.said_by is SaidBy.REALM:
            self._offer(person.version, person.raw, now)
        else:
            text = "the realm has no profile of this wallet, or did not answer: give one, profile=Avatar(name=...)"
            self._session.warn(WarningCode.NO_PROFILE, text)

    def _offer(self, version: int, serialized: str, now: float) -> None:
        try:
            self._session.offer_profile(version, serialized, now=now)
        except CommsError as error:
            self._session.warn(WarningCode.NO_PROFILE, f"our profile can't be offered: {error}")
