"""Whom Pulse tells of: states, deltas, emotes and versions of each subject, as events of a room.

A subject has a number, which is used again for others; who it is stands in PlayerJoined alone, and what is told of a
number that nobody joined with is let go.  A delta counts if it starts from the state that we have; one that starts from
a later one says that something was lost, and a ResyncRequest is due: one a second of each subject at most, and no
longer once any state came that fits.  The service forgets a request for somebody out of sight: the next gap asks again.

What a client has to know, and what follows from it:

* 0 is a subject and a sequence like any other.
* After our own change of realm whoever is of another one is told to have left and is kept until the service says so:
  who comes back at once is not joined again there, and is told to be here again.
* A service that tells somebody from afar leaves out velocity, blends and head, and does not make up for it until they
  change: they may be old, where positions are not.
* Who stands still, and who is gone for up to a minute, are not mentioned: nobody leaves by the clock here.
* After a second login of a wallet both its numbers are there for a while: the one whose state is newer counts.
* An emote's message may hold an older state than the one that we have: only the emote of it counts then.

Bounded by Limits.pulse_subjects and pulse_name_chars; at most Limits.peers are told of at a time.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final, cast

from dcl_comms_core.events import (
    LimitReached,
    MovementKind,
    PacketRejected,
    PeerEmoted,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    ProfileAnnounced,
    RejectReason,
    Vector3,
)
from dcl_comms_core.peers import Arrival, PeerId
from dcl_comms_core.proto import pulse, rfc4
from dcl_comms_core.pulse.state import Pose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.events import Event
    from dcl_comms_core.limits import Limits

__all__ = ["ROOM", "Subjects"]

ROOM: Final = "pulse"
"""The label in the events."""
_UNSURE: Final = -1
"""A sequence before any: what we have is no whole state."""
_PAUSE: Final = 1.0
"""Seconds between two resyncs of one subject."""
_MANY_STALE: Final = 3
"""After so many deltas in a row that are older than what we have, the sequence has begun anew."""
_MILLI: Final = 1000.0
_MASK: Final = (1 << 32) - 1

_MOVEMENT: Final = MovementKind.MOVEMENT
# See packets/readers.py: what comes often is built without its constructors.
_made: Final = object.__new__
_new: Final = cast("Callable[[type[Vector3], tuple[float, float, float]], Vector3]", tuple.__new__)


class _Subject:
    """One number, and who has it."""

    __slots__ = (
        "asked_at",
        "emote",
        "number",
        "pose",
        "realm",
        "restarted",
        "sequence",
        "shown",
        "stale",
        "tick",
        "version",
        "who",
    )

    def __init__(self, number: int, who: PeerId) -> None:
        self.number = number
        self.who = who
        self.realm = ""
        self.pose = Pose()
        self.sequence = _UNSURE
        self.tick = 0
        self.version = 0
        self.emote: rfc4.PlayerEmote | None = None
        """The one that is on."""
        self.shown = False
        """Whether it is the one of its wallet that is told."""
        self.stale = 0
        self.restarted = False
        """Whether a state may have a lower sequence."""
        self.asked_at = -inf


class Subjects:
    """What is known of each subject.  Raises nothing for anything that the service says.

    ``own`` is our wallet: what is told of it (of our last connection, or in a mirror) is known, and not told.
    """

    __slots__ = (
        "_due",
        "_full",
        "_limits",
        "_listed_by",
        "_numbers",
        "_own",
        "_parts",
        "_realm",
        "_room",
        "_subjects",
        "_told",
        "_wanted",
    )

    def __init__(self, limits: Limits, *, room: str = ROOM, own: PeerId | None = None) -> None:
        self._limits = limits
        self._room = room
        self._own = own
        self._realm: str | None = None
        self._subjects: dict[int, _Subject] = {}
        self._numbers: dict[str, dict[int, _Subject]] = {}
        """All subjects of each wallet."""
        self._told: dict[str, _Subject] = {}
        """The one of each wallet that is told: who is there, for an application."""
        self._wanted: dict[int, float] = {}
        """When to ask for a state, by number."""
        self._due = inf
        self._listed_by = -inf
        """Until when the service tells of those who were there before us."""
        self._full: set[str] = set()
        """Limits that were reached and not left since."""
        self._parts: Mapping[str, Callable[[Any, float], list[Event]]] = {
            "player_joined": self._join,
            "player_left": self._leave,
            "player_state_full": self._whole,
            "teleported": self._teleport,
            "emote_started": self._start,
            "emote_stopped": self._stop,
            "player_profile_version_announced": self._announce,
        }

    def __len__(self) -> int:
        return len(self._subjects)

    def take(self, message: pulse.ServerMessage, now: float) -> list[Event]:
        """What a message says; nothing, if it is none about subjects."""
        delta = message.player_state_delta
        if delta is not None:
            # Nearly all of them: without a call more than it needs.
            subject = self._subjects.get(delta.subject_id)
            if subject is None:
                return []
            sequence = delta.new_seq
            if delta.baseline_seq != subject.sequence or sequence <= subject.sequence:
                return self._misfit(subject, delta, now)
            try:
                movement = subject.pose.change(delta)
            except IndexError:
                subject.sequence = _UNSURE
                return [self._refusal(subject.who, "a code with too many bits, or no such parcel", now)]
            subject.sequence = sequence
            subject.tick = delta.server_tick
            subject.stale = 0
            if self._wanted:
                self._wanted.pop(subject.number, None)
            return [self._moved(subject.who, movement, now)] if subject.shown else self._show(subject, now)
        for name, act in self._parts.items():
            part = getattr(message, name)
            if part is not None:
                return act(part, now)
        return []

    def resyncs(self, now: float) -> list[pulse.ResyncRequest]:
        """The requests that are due; they count as sent."""
        if now < self._due:
            return []
        due = [number for number, at in self._wanted.items() if at <= now]
        found: list[pulse.ResyncRequest] = []
        for number in due:
            del self._wanted[number]
            subject = self._subjects[number]
            subject.asked_at = now
            found.append(pulse.ResyncRequest(number, max(subject.sequence, 0)))
        self._due = min(self._wanted.values(), default=inf)
        return found

    def deadline(self) -> float | None:
        """When ``resyncs`` may have something; None: not before a message."""
        return None if self._due == inf else self._due

    def begin(self, now: float) -> None:
        """We are there, and the service begins to tell who is."""
        self._listed_by = now + self._limits.pulse_listing_seconds

    def set_realm(self, name: str | None, now: float) -> list[Event]:
        """Be in a realm, written in any case; None: whoever is told of is here, as for a listener in many realms."""
        self._realm = None if name is None else name.lower()
        self.begin(now)
        events: list[Event] = []
        for subject in self._subjects.values():
            if subject.shown and not self._is_here(subject):
                events += self._hide(subject, now)
        for subject in self._subjects.values():
            events += self._show(subject, now)
        return events

    def forget(self, now: float) -> list[Event]:
        """Everybody is gone: the numbers of another connection are others."""
        events: list[Event] = [PeerLeft(at=now, room=self._room, sender=subject.who) for subject in self._told.values()]
        for table in (self._subjects, self._numbers, self._told, self._wanted):
            table.clear()
        self._full.clear()
        self._due = inf
        return events

    # --- states

    def _misfit(self, subject: _Subject, delta: pulse.PlayerStateDeltaTier0, now: float) -> list[Event]:
        if delta.new_seq < delta.baseline_seq:
            # Nobody's sequence goes back: the number is another one's, who will join, or has and was lost on the way.
            return self._drop(subject, now)
        if delta.baseline_seq > subject.sequence:
            self._want(subject, now)
        else:
            subject.stale += 1
            if subject.stale >= _MANY_STALE:
                subject.stale = 0
                subject.restarted = True
                self._want(subject, now)
        return []

    def _want(self, subject: _Subject, now: float) -> None:
        if subject.number not in self._wanted:
            at = max(now, subject.asked_at + _PAUSE)
            self._wanted[subject.number] = at
            self._due = min(self._due, at)

    def _put(self, subject: _Subject, sequence: int, tick: int, state: pulse.PlayerState | None) -> bool:
        """Take a whole state.  False: it is older than what we have, or there is none.  IndexError: see Pose."""
        if state is None or sequence < subject.sequence:
            return False
        # Until it is whole it is none.
        subject.sequence = _UNSURE
        subject.pose.put(state)
        subject.sequence = sequence
        subject.tick = tick
        subject.stale = 0
        subject.restarted = False
        self._wanted.pop(subject.number, None)
        return True

    def _whole(self, full: pulse.PlayerStateFull, now: float) -> list[Event]:
        subject = self._subjects.get(full.subject_id)
        if subject is None:
            return []
        if subject.restarted:
            subject.sequence = _UNSURE
        return self._placed(subject, full.sequence, full.server_tick, full.state, now)

    def _placed(
        self,
        subject: _Subject,
        sequence: int,
        tick: int,
        state: pulse.PlayerState | None,
        now: float,
        *,
        jump: bool = False,
    ) -> list[Event]:
        """Take a whole state, and tell it."""
        try:
            if not self._put(subject, sequence, tick, state):
                return []
        except IndexError:
            return [self._refusal(subject.who, "a code with too many bits, or no such parcel", now)]
        if not subject.shown:
            return self._show(subject, now)
        movement = subject.pose.movement(subject.tick / _MILLI)
        movement.is_instant = jump
        return [self._moved(subject.who, movement, now)]

    def _teleport(self, told: pulse.TeleportPerformed, now: float) -> list[Event]:
        subject = self._subjects.get(told.subject_id)
        if subject is None or told.sequence < subject.sequence:
            return []
        if len(told.realm) > self._limits.pulse_name_chars:
            return [self._refusal(subject.who, "a realm of too many characters", now)]
        if told.realm:
            subject.realm = told.realm.lower()
        left = [] if self._is_here(subject) else self._hide(subject, now)
        return left + self._placed(subject, told.sequence, told.server_tick, told.state, now, jump=True)

    # --- who is there

    def _join(self, joined: pulse.PlayerJoined, now: float) -> list[Event]:
        who, full = PeerId(joined.user_id), joined.state
        longest = self._limits.pulse_name_chars
        if full is None or full.state is None:
            return [self._refusal(who, "somebody who is nowhere", now)]
        if not 0 < len(joined.user_id) <= longest or len(joined.realm) > longest:
            return [self._refusal(None, "a wallet or a realm of too many characters, or of none", now)]
        events: list[Event] = []
        subject = self._subjects.get(full.subject_id)
        if subject is not None and subject.who != who:
            events += self._drop(subject, now)
            subject = None
        if subject is None:
            if len(self._subjects) >= self._limits.pulse_subjects:
                return events + self._reached("pulse_subjects", self._limits.pulse_subjects, now)
            subject = _Subject(full.subject_id, who)
        else:
            # One that is still on is told anew.
            events += self._over(subject, full.sequence, full.server_tick, now)
        subject.sequence = _UNSURE
        subject.realm = joined.realm.lower()
        is_new_version = joined.profile_version != subject.version
        subject.version = joined.profile_version
        self._subjects[subject.number] = subject
        self._numbers.setdefault(who.key, {})[subject.number] = subject
        was_shown = subject.shown
        if was_shown and not self._is_here(subject):
            events += self._hide(subject, now)
        events += self._placed(subject, full.sequence, full.server_tick, full.state, now, jump=True)
        if was_shown and subject.shown and is_new_version:
            events += self._versions(subject, now)
        return events

    def _leave(self, left: pulse.PlayerLeft, now: float) -> list[Event]:
        subject = self._subjects.get(left.subject_id)
        return [] if subject is None else self._drop(subject, now)

    def _drop(self, subject: _Subject, now: float) -> list[Event]:
        """Nobody has this number any more."""
        del self._subjects[subject.number]
        theirs = self._numbers[subject.who.key]
        del theirs[subject.number]
        if not theirs:
            del self._numbers[subject.who.key]
        self._wanted.pop(subject.number, None)
        self._full.discard("pulse_subjects")
        return self._hide(subject, now)

    def _is_here(self, subject: _Subject) -> bool:
        # An old service does not say where somebody is: it tells of those who are where we are.
        return self._realm is None or subject.realm in {"", self._realm}

    def _show(self, subject: _Subject, now: float) -> list[Event]:
        """Tell of a subject from now on, if it is here and the newest of its wallet."""
        if subject.shown or subject.sequence == _UNSURE or not self._is_here(subject) or subject.who == self._own:
            return []
        key = subject.who.key
        other = self._told.get(key)
        events: list[Event] = []
        if other is not None:
            if subject.tick < other.tick:
                return []
            events += self._unplayed(other, other.sequence, other.tick, now)
            other.shown = False
        elif len(self._told) >= self._limits.peers:
            return self._reached("peers", self._limits.peers, now)
        else:
            arrival = Arrival.WAS_HERE if now <= self._listed_by else Arrival.NEW
            events.append(PeerJoined(at=now, room=self._room, sender=subject.who, arrival=arrival))
        return events + self._tell(subject, now)

    def _tell(self, subject: _Subject, now: float) -> list[Event]:
        """The subject is the one of its wallet: where it is, its profile's version, the emote that is on."""
        subject.shown = True
        self._told[subject.who.key] = subject
        movement = subject.pose.movement(subject.tick / _MILLI)
        movement.is_instant = True
        events = [self._moved(subject.who, movement, now), *self._versions(subject, now)]
        return events if subject.emote is None else [*events, self._emoted(subject, subject.emote, now)]

    def _hide(self, subject: _Subject, now: float) -> list[Event]:
        """Tell no more of a subject: of another of its wallet, or that the wallet is gone."""
        if not subject.shown:
            return []
        key = subject.who.key
        others = [
            other
            for other in self._numbers.get(key, {}).values()
            if other is not subject and other.sequence != _UNSURE and self._is_here(other)
        ]
        if others:
            events = self._unplayed(subject, subject.sequence, subject.tick, now)
            subject.shown = False
            return events + self._tell(max(others, key=lambda other: other.tick), now)
        subject.shown = False
        del self._told[key]
        self._full.discard("peers")
        return [PeerLeft(at=now, room=self._room, sender=subject.who)]

    # --- emotes and versions

    def _start(self, started: pulse.EmoteStarted, now: float) -> list[Event]:
        subject = self._subjects.get(started.subject_id)
        if subject is None:
            return []
        urn = started.emote_id
        if len(urn) > self._limits.urn_chars or not urn.isprintable() or " " in urn:
            return [self._refusal(subject.who, "an emote that is none", now)]
        emote = rfc4.PlayerEmote(started.sequence, urn, started.server_tick / _MILLI)
        if started.mask is not None:
            emote.mask = started.mask & _MASK
        subject.emote = None
        subject.pose.emote(playing=True)
        # The tick is when the emote began, which may be long ago; the state is of now.
        tick = max(started.server_tick, subject.tick)
        events = self._placed(subject, started.sequence, tick, started.player_state, now)
        subject.emote = emote
        return [*events, self._emoted(subject, emote, now)] if subject.shown else events

    def _stop(self, stopped: pulse.EmoteStopped, now: float) -> list[Event]:
        subject = self._subjects.get(stopped.subject_id)
        if subject is None:
            return []
        sequence, tick = stopped.sequence, stopped.server_tick
        finished = stopped.reason == pulse.EmoteStopReason.COMPLETED
        over = self._over(subject, sequence, tick, now, finished=finished)
        return self._placed(subject, sequence, tick, stopped.player_state, now) + over

    def _over(self, subject: _Subject, sequence: int, tick: int, now: float, *, finished: bool = False) -> list[Event]:
        """The emote that is on, if one is, has ended."""
        events = self._unplayed(subject, sequence, tick, now, finished=finished)
        subject.emote = None
        subject.pose.emote(playing=False)
        return events

    def _unplayed(
        self, subject: _Subject, sequence: int, tick: int, now: float, *, finished: bool = False
    ) -> list[Event]:
        """Tell that it is seen no more."""
        if subject.emote is None or not subject.shown:
            return []
        emote = rfc4.PlayerEmote(sequence, subject.emote.urn, tick / _MILLI, is_stopping=True)
        event = self._emoted(subject, emote, now)
        event.finished = finished
        return [event]

    def _emoted(self, subject: _Subject, emote: rfc4.PlayerEmote, now: float) -> PeerEmoted:
        return PeerEmoted(
            at=now,
            room=self._room,
            sender=subject.who,
            private=False,
            urn=emote.urn,
            incremental_id=emote.incremental_id,
            timestamp=emote.timestamp,
            stopping=bool(emote.is_stopping),
            message=emote,
        )

    def _announce(self, told: pulse.PlayerProfileVersionsAnnounced, now: float) -> list[Event]:
        subject = self._subjects.get(told.subject_id)
        if subject is None:
            return []
        subject.version = told.version
        return self._versions(subject, now)

    def _versions(self, subject: _Subject, now: float) -> list[Event]:
        """A profile's version; 0 is none yet."""
        if not subject.shown or subject.version <= 0:
            return []
        return [ProfileAnnounced(at=now, room=self._room, sender=subject.who, private=False, version=subject.version)]

    # --- events

    def _moved(self, who: PeerId, message: rfc4.Movement, now: float) -> PeerMoved:
        event = _made(PeerMoved)
        event.at = now
        event.room = self._room
        event.sender = who
        event.private = False
        event.size = 0
        event.position = _new(Vector3, (message.position_x, message.position_y, message.position_z))
        event.velocity = _new(Vector3, (message.velocity_x, message.velocity_y, message.velocity_z))
        event.yaw = message.rotation_y
        event.kind = _MOVEMENT
        event.message = message
        return event

    def _refusal(self, who: PeerId | None, detail: str, now: float) -> Event:
        return PacketRejected(
            at=now,
            room=self._room,
            sender=who,
            private=False,
            reason=RejectReason.OUT_OF_RANGE,
            offset=0,
            detail=detail,
        )

    def _reached(self, limit: str, value: int, now: float) -> list[Event]:
        if limit in self._full:
            return []
        self._full.add(limit)
        return [LimitReached(at=now, room=self._room, limit=limit, value=value)]
