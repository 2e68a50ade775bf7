"""The half of a room session that acts by itself, once told what to be: movement, presence and profile.

Unity sends a peer nothing but chat, scene messages and reactions until it announced a profile, so a session that has a
``profile_version`` announces it when it joins, when others join (two seconds apart at least), and every ten seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import SendQueueFull
from dcl_comms_core.peers import EVERYONE, PeerId
from dcl_comms_core.proto import rfc4
from dcl_comms_core.room.incoming.inbound import Receiving
from dcl_comms_core.room.incoming.profiles import build_profile
from dcl_comms_core.room.outgoing.intents import check_version
from dcl_comms_core.states import RoomState, Timer

if TYPE_CHECKING:
    from dcl_comms_core.adapters.token import AccessToken
    from dcl_comms_core.events import ProfileRequested
    from dcl_comms_core.inputs import LinkRef
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.packets.movement import MovementCodec
    from dcl_comms_core.peers import Addressees
    from dcl_comms_core.room.incoming.dedupe import Seen
    from dcl_comms_core.room.incoming.profiles import Profile
    from dcl_comms_core.room.options import Delivery

__all__ = ["Acting"]

_EVERY: Final = 10.0
_APART: Final = 2.0


class Acting(Receiving):
    """Moves, is present, and answers for its profile."""

    def __init__(
        self,
        room: str,
        link: LinkRef,
        token: AccessToken | None,
        limits: Limits,
        *,
        delivery: Delivery,
        seen: Seen | None,
        codec: MovementCodec | None,
        profile_version: int | None,
        silent: bool,
    ) -> None:
        super().__init__(room, link, token, limits, delivery=delivery, seen=seen, codec=codec)
        self._silent = silent
        self._version = None if profile_version is None else check_version(profile_version)
        self._announced_at = -_APART
        self._profile: rfc4.ProfileResponse | None = None

    # --- movement

    def _walk(self) -> None:
        """Send the movement that is due, and have the next one on the timer."""
        if self._state is not RoomState.OPEN or not self._flowing:
            return
        self._cadence.send(self._now, self._send_movement)
        if self._cadence.due is not None:
            self._timers.arm(Timer.MOVE, self._cadence.due)

    def _send_movement(self, movement: rfc4.Movement, first: bool) -> None:  # noqa: FBT001 - a callback's
        if first:
            movement.is_instant = True
        self._try(rfc4.Packet(movement=movement))

    # --- presence and profile

    def announce_profile(self, version: int, *, to: Addressees = EVERYONE, now: float | None = None) -> None:
        """Tell the version of our profile, now and from now on (unless ``to`` names some, or the session is silent)."""
        super().announce_profile(version, to=to, now=now)
        if to is EVERYONE and not self._silent:
            self._version = version
            self._announced_at = self._now
            self._timers.arm(Timer.PRESENCE, self._now + _EVERY)

    def offer_profile(self, version: int, serialized: str, *, base_url: str = "", now: float | None = None) -> None:
        """Announce a profile and answer those who ask for it: its JSON, and where its content is.

        Answers go to everybody, one in ten seconds, as Bevy's do.  PacketTooLarge: the profile fits no packet.
        """
        profile = build_profile(serialized, base_url)
        self.announce_profile(version, now=now)
        self._profile = profile

    def request_profile(self, who: PeerId, version: int = 0, *, now: float | None = None) -> bool:
        """Ask a peer for its own profile; the answer is ProfileReceived.  Unity clients do not answer.

        False: nothing was sent, because a profile of this ``version`` or a newer one is known, or because the peer was
        asked within ten seconds.
        """
        self.check_sending(now)
        if not self._profiles.ask(who, version, self._now):
            return False
        request = rfc4.ProfileRequest(address=who.address or who.text, profile_version=check_version(version))
        self.send(rfc4.Packet(profile_request=request), to=who)
        return True

    def profile(self, who: PeerId) -> Profile | None:
        """The profile that a peer sent, the newest of its versions; None: none, or it was forgotten."""
        return self._profiles.get(who)

    def _on_profile_request(self, event: ProfileRequested) -> None:
        """Answer who asks for our profile, to everybody."""
        ours = self._identity
        if (
            self._profile is not None
            and ours is not None
            and PeerId(event.address) == ours
            and self._profiles.answer(self._now)
        ):
            self._try(rfc4.Packet(profile_response=self._profile))

    def _arrive(self) -> None:
        """We are in the room, or in it again."""
        self._cadence.begin(self._now)
        if self._may_announce():
            self._announce_now()

    def _welcome(self) -> None:
        """Others came."""
        if self._may_announce():
            soon = self._announced_at + _APART
            if soon <= self._now:
                self._announce_now()
            else:
                self._timers.hasten(Timer.PRESENCE, soon)

    def _announce_now(self) -> None:
        if self._state is RoomState.OPEN:
            version = self._version or 0
            self._try(rfc4.Packet(profile_version=rfc4.AnnounceProfileVersion(profile_version=version)))
            self._announced_at = self._now
        self._timers.arm(Timer.PRESENCE, self._now + _EVERY)

    def _may_announce(self) -> bool:
        allowed = self._token is None or self._token.grants.can_publish_data
        return self._version is not None and not self._silent and allowed

    def _rest(self) -> None:
        """We leave: nothing goes out by itself any more."""
        for timer in (Timer.MOVE, Timer.PRESENCE):
            if self._timers.armed(timer):
                self._timers.disarm(timer)

    def _try(self, packet: rfc4.Packet) -> None:
        """Send something that nobody waits for: where the queue is full, its next turn will do."""
        try:
            self.send(packet)
        except SendQueueFull:
            self._counters["skipped"] += 1
