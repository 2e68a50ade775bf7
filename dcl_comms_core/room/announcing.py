"""Our presence in a room: announcing our profile, and answering requests for it.

Unity sends a peer nothing but chat, scene messages and reactions until it announced a profile, so a session that has a
``profile_version`` announces it when it joins, when others join (two seconds apart at least), and every ten seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.peers import PeerId
from dcl_comms_core.proto import rfc4
from dcl_comms_core.room.outgoing.intents import check_version
from dcl_comms_core.states import RoomState, Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.events import ProfileRequested
    from dcl_comms_core.room.incoming.profiles import Profiles
    from dcl_comms_core.room.lifecycle import Lifecycle
    from dcl_comms_core.room.permit import Permit
    from dcl_comms_core.tools.clock import Clock
    from dcl_comms_core.tools.timers import Timers

__all__ = ["Announcing"]

# The explorers' manners, and no limits: nothing is refused or let go at them.
_EVERY: Final = 10.0
_APART: Final = 2.0


class Announcing:
    """Announces our profile, and answers requests for it.

    ``version``: of our profile; None: nothing is announced.  ``silent``: nothing is announced by itself.
    ``send``: sends a packet, or skips it while the queue is full.
    """

    __slots__ = (
        "_announced_at", "_clock", "_lifecycle", "_news", "_permit", "_profile", "_profiles", "_send", "_silent",
        "_timers", "_version",
    )  # fmt: skip

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        lifecycle: Lifecycle,
        profiles: Profiles,
        *,
        version: int | None,
        silent: bool,
        permit: Permit,
        send: Callable[[rfc4.Packet], None],
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._lifecycle = lifecycle
        self._profiles = profiles
        self._version = None if version is None else check_version(version)
        self._silent = silent
        self._permit = permit
        self._send = send
        self._announced_at = -_APART
        self._profile: rfc4.ProfileResponse | None = None
        self._news = False
        """Is the version one that was not told yet?"""

    def announced(self, version: int) -> None:
        """This version was just announced to everybody; it is the one to repeat."""
        self._version = version
        self._news = False
        self._announced_at = self._clock.now
        self._timers.arm(Timer.PRESENCE, self._clock.now + _EVERY)

    def remember(self, version: int) -> None:
        """This version is to be announced once the room is open."""
        self._version = version
        self._news = True

    def back(self) -> None:
        """The same room is open again."""
        if self._news:
            self.arrive()

    def offer(self, profile: rfc4.ProfileResponse) -> None:
        """Set the profile to answer requests with."""
        self._profile = profile

    def answer(self, event: ProfileRequested) -> None:
        """Answer a request, if it is for our profile.  The answer goes to everybody."""
        ours = self._lifecycle.identity
        if (
            self._profile is not None
            and ours is not None
            and PeerId(event.address) == ours
            and self._profiles.answer(self._clock.now)
        ):
            self._send(rfc4.Packet(profile_response=self._profile))

    def arrive(self) -> None:
        """We joined or rejoined, or may send now."""
        if self._announces:
            self.announce()

    def welcome(self) -> None:
        """Somebody joined."""
        if not self._announces:
            return
        soon = self._announced_at + _APART
        if soon <= self._clock.now:
            self.announce()
        else:
            self._timers.hasten(Timer.PRESENCE, soon)

    @property
    def _announces(self) -> bool:
        return self._version is not None and not self._silent and self._permit.may_send

    def announce(self) -> None:
        """Announce now, if the room is open, and again in ten seconds."""
        now = self._clock.now
        if self._lifecycle.state is RoomState.OPEN:
            announcement = rfc4.AnnounceProfileVersion(profile_version=self._version or 0)
            self._send(rfc4.Packet(profile_version=announcement))
            self._announced_at = now
            self._news = False
        self._timers.arm(Timer.PRESENCE, now + _EVERY)
