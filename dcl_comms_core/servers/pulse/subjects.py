"""Who is seen: each player's state as it was told, with a number, and what happened to it on the way.

A state is never changed: a new one takes its place, with the next number.  Of several teleports, or starts or stops of
emotes, only the last counts, which is why no more of the past is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from dcl_comms_core.servers.pulse.fields import place_of, state_of

if TYPE_CHECKING:
    from dcl_comms_core.proto import pulse
    from dcl_comms_core.servers.pulse.fields import Codes

__all__ = ["Emote", "Observer", "Snapshot", "Subject", "View"]


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
        "anchor", "cell", "deltas", "edge", "emote", "latest", "number", "observer", "place", "profile", "session",
        "stop", "teleport", "teleported", "wallet", "watchers",
    )  # fmt: skip

    def __init__(self, number: int, wallet: str, session: str, observer: Observer) -> None:
        self.number = number
        """The subject id."""
        self.observer = observer
        """What it sees itself."""
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
        self.anchor: tuple[str, float, float] | None = None
        """Realm and place in which it was when it was compared with all around; see nearness.py."""
        self.edge: dict[Subject, None] = {}
        """Players of whom it depends on little whether they are within reach."""
        self.watchers: dict[Observer, View] = {}
        """Who sees it now."""
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


class Observer(Protocol):
    """Who is told of others."""

    @property
    def subject(self) -> Subject | None:
        """Of a player; None: it is a listener, whom nobody sees."""
        ...

    @property
    def views(self) -> dict[int, View]:
        """By subject id."""
        ...

    @property
    def asked(self) -> set[int]:
        """Of whom a full state was asked for since the last tick."""
        ...

    @property
    def passing(self) -> list[bytes]:
        """What it is told in this tick and may be lost."""
        ...

    moved_realm: bool
    """Since the last tick."""

    def send(self, message: bytes) -> None:
        """Send a message that arrives, if anybody is still there to get it."""
        ...


class View:
    """One subject as one observer knows it."""

    __slots__ = ("emote", "greeted", "observer", "profile", "seen", "sent", "subject")

    def __init__(self, subject: Subject, observer: Observer) -> None:
        self.subject = subject
        self.observer = observer
        self.greeted = False
        """Whether the observer was told that the subject is there."""
        self.sent = subject.latest
        """The state that the next delta begins with."""
        self.seen = 0
        """The last tick in which the subject was in sight, once it is not any more."""
        self.profile = subject.profile
        """The version that was told."""
        self.emote: Emote | None = None
        """The one of which the start was told last, and no stop since."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether the subject is in another realm than the one that was told."""
        return self.greeted and self.sent.realm != self.subject.latest.realm
