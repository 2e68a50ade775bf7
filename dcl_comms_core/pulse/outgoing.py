"""What a player tells Pulse: where it is, jumps, emotes, the version of its profile.

The server hangs up for good on whoever breaks a rule, so what is told is made here, in one place: nothing from outside
of the grid, inputs ten times a second at most, and of what had to wait its turn only the newest.  An explorer says
nothing of its movement while it plays an emote; so whoever moves while it does stops it first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MOST_EMOTE_SECONDS", "Outgoing"]

MOST_EMOTE_SECONDS: Final = 60.0
"""A longer emote ends the connection."""
_INPUT_GAP: Final = 0.1
# A quarter of what the server allows, which is 20 a second after 16 at once.
_DISCRETE_GAP: Final = 0.2
_DISCRETE_BURST: Final = 4


class Outgoing:
    """What waits to be said.  ``say``: sends a message, reliably or not; called while a connection is open only."""

    __slots__ = (
        "_begun", "_discrete", "_emote", "_input", "_inputs", "_jump", "_on_until", "_say", "_told_version", "_until",
        "_version", "realm", "state",
    )  # fmt: skip

    def __init__(self, say: Callable[[pulse.ClientMessage, bool], None]) -> None:
        self._say = say
        self._begun = False
        self.realm = ""
        """Where we are; empty: in none that has a name."""
        self._version: int | None = None
        self._told_version: int | None = None
        self.state: pulse.PlayerState | None = None
        """Where we are; None: nowhere that could be told."""
        self._jump = False
        self._input = False
        self._emote: pulse.EmoteStart | pulse.EmoteStop | None = None
        self._until = 0.0
        """Until when the one that waits is on."""
        self._on_until: float | None = None
        """The same of the one that was told last; None: it was stopped, or there was none."""
        self._inputs = Pace(_INPUT_GAP, 1)
        self._discrete = Pace(_DISCRETE_GAP, _DISCRETE_BURST)

    @property
    def version(self) -> int:
        """Of our profile; 0: none was told."""
        return self._version or 0

    def begin(self) -> None:
        """A connection is open, and nobody there knows anything of us."""
        self._begun = True
        self._told_version = None
        self._jump = True
        self._input = self.state is not None

    def end(self) -> None:
        """It is gone, and with it what only its moment was for."""
        self._begun = False
        self._emote = self._on_until = None

    def initial(self) -> pulse.PlayerInitialState | None:
        """Where a connection that replaces a lost one begins; None: nowhere yet."""
        if self.state is None or not self.realm:
            return None
        return pulse.PlayerInitialState(state=self.state, realm=self.realm)

    # --- what changed

    def be_in(self, realm: str) -> None:
        """Be in this realm; empty: in none that has a name."""
        if realm != self.realm:
            self.realm = realm
            self._jump = True

    def announce(self, version: int) -> None:
        """Our profile has this version from now on."""
        self._version = version

    def be_at(self, state: pulse.PlayerState | None, now: float, *, jump: bool) -> None:
        """Be there; None: somewhere that can't be told."""
        before, self.state = self.state, state
        if state is None:
            self._input = False
            return
        if jump or before is None:
            self._jump = True
        elif isinstance(self._emote, pulse.EmoteStart) or self._is_on(now):
            if _same_place(before, state):
                return
            self.emote(None, now, until=now)
        self._input = True

    def emote(self, start: pulse.EmoteStart | None, now: float, *, until: float) -> None:
        """Play an emote ``until`` then; None: stop it.  What waits is replaced; where nobody hears it, it is let go."""
        if not self._begun:
            return
        self._emote = None
        if start is not None:
            self._emote, self._until = start, until
        elif self._is_on(now):
            self._emote = pulse.EmoteStop()

    def _is_on(self, now: float) -> bool:
        """Whether the service takes it that an emote of ours is on."""
        return self._on_until is not None and now < self._on_until

    # --- what goes

    def due(self, now: float) -> float | None:
        """When something may go; None: nothing waits."""
        if not self._begun:
            return None
        if self.realm and self.state is not None and (self._jump or self._emote is not None):
            return self._discrete.due(now)
        return self._inputs.due(now) if self._goes_on else None

    @property
    def _goes_on(self) -> bool:
        return self._input and bool(self.realm) and self.state is not None

    def send(self, now: float) -> None:
        """Say what may be said now."""
        if not self._begun:
            return
        if self._version is not None and self._version != self._told_version:
            self._told_version = self._version
            announcement = pulse.ProfileVersionAnnouncement(version=self._version)
            self._say(pulse.ClientMessage(profile_announcement=announcement), True)
        state = self.state
        if state is None or not self.realm:
            return
        if self._jump and self._discrete.take(now):
            self._jump = False
            self._say(pulse.ClientMessage(teleport=_teleport(state, self.realm)), True)
        if self._jump:
            return  # nobody sees us before, and what follows would be judged by where we were
        if self._emote is not None and self._discrete.take(now):
            emote, self._emote = self._emote, None
            if isinstance(emote, pulse.EmoteStart):
                emote.player_state = state
                self._on_until = self._until
                self._say(pulse.ClientMessage(emote_start=emote), True)
            else:
                self._on_until = None
                self._say(pulse.ClientMessage(emote_stop=emote), True)
        if self._input and self._emote is None and self._inputs.take(now):
            self._input = False
            self._say(pulse.ClientMessage(input=pulse.PlayerStateInput(state=state)), False)


def _teleport(state: pulse.PlayerState, realm: str) -> pulse.TeleportRequest:
    return pulse.TeleportRequest(
        parcel_index=state.parcel_index,
        position_x=state.position_x,
        position_y=state.position_y,
        position_z=state.position_z,
        realm=realm,
    )


def _same_place(one: pulse.PlayerState, other: pulse.PlayerState) -> bool:
    return (one.parcel_index, one.position_x, one.position_y, one.position_z) == (
        other.parcel_index,
        other.position_x,
        other.position_y,
        other.position_z,
    )
