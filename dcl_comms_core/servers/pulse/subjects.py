"""Who is seen: each player's state as it was told, with a number, and what happened to it on the way.

A state is never changed: a new one takes its place, with the next number.  Of several teleports, or starts or stops of
emotes, only the last counts, which is why no more of the past is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.servers.pulse.fields import place_of, state_of

if TYPE_CHECKING:
    from dcl_comms_core.proto import pulse
    from dcl_comms_core.servers.pulse.fields import Codes

__all__ = ["Emote", "Snapshot", "Subject"]


class Snapshot:
    """A state with its number.  ``tick``: when it was taken, in ms since the server began."""

    __slots__ = ("_state", "codes", "realm", "seq", "tick")

    def __init__(self, seq: int, tick: int, codes: Codes, realm: str | None) -> None:
        self.seq = seq
        self.tick = tick
        self.codes = codes
        self.realm = realm
        self._state: pulse.PlayerState | None = None

    @property
    def state(self) -> pulse.PlayerState:
        """As a message."""
        if self._state is None:
            self._state = state_of(self.codes)
        return self._state


class Emote:
    """An emote that is on."""

    __slots__ = ("began", "duration", "mask", "name", "snapshot")

    def __init__(self, name: str, snapshot: Snapshot, began: int, duration: int | None, mask: int | None) -> None:
        self.name = name
        self.snapshot = snapshot
        """The state with which it began."""
        self.began = began
        """In ms since the server began."""
        self.duration = duration
        """ms; None: until it is stopped."""
        self.mask = mask


_NOWHERE: Final = Snapshot(-1, 0, (), None)


class Subject:
    """A player, as others see it."""

    __slots__ = (
        "cell", "deltas", "emote", "latest", "number", "place", "profile", "session", "stop", "teleport", "teleported",
        "wallet",
    )  # fmt: skip

    def __init__(self, number: int, wallet: str, session: str) -> None:
        self.number = number
        """The subject id."""
        self.wallet = wallet
        self.session = session
        self.profile = 0
        self.latest = _NOWHERE
        self.place = (0.0, 0.0, 0.0)
        self.cell: tuple[str, int, int] | None = None
        """Realm and cell in which it is kept; None: in none, nobody sees it."""
        self.emote: Emote | None = None
        self.teleport: Snapshot | None = None
        """The state after the last one."""
        self.stop: tuple[Snapshot, pulse.EmoteStopReason] | None = None
        """How the last emote ended."""
        self.teleported = False
        """Whether it was teleported since it was clustered."""
        self.deltas: dict[tuple[int, int], bytes] = {}
        """What was told of the latest state, by the number of the state before and by tier: many are told the same."""

    @property
    def realm(self) -> str | None:
        """Where it is; None before the first teleport."""
        return self.latest.realm

    def move(self, codes: Codes, tick: int, realm: str | None = None) -> Snapshot:
        """Give it another state."""
        self.latest = Snapshot(self.latest.seq + 1, tick, codes, self.realm if realm is None else realm)
        self.place = place_of(codes)
        self.deltas.clear()
        return self.latest

    def jump(self, codes: Codes, tick: int, realm: str) -> None:
        """Give it the state after a teleport."""
        self.teleport = self.move(codes, tick, realm)
        self.teleported = True

    def is_news(self, codes: Codes) -> bool:
        """Whether a state is another one; after a teleport every first one is."""
        return codes != self.latest.codes or self.latest is self.teleport

    def end(self, reason: pulse.EmoteStopReason, tick: int) -> bool:
        """End the emote that is on, with a state of its own; False: none is."""
        if self.emote is None:
            return False
        self.emote = None
        self.stop = self.move(self.latest.codes, tick), reason
        return True
