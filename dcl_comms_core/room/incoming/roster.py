"""What a room knows of its participants: peers, their tracks, and packets whose sender is not known yet."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from dcl_comms_core import events as ev
from dcl_comms_core.company.arrivals import Acquaintances
from dcl_comms_core.company.entries import written
from dcl_comms_core.company.ignoring import Ignored
from dcl_comms_core.inputs import TrackAppeared, TrackAttached, TrackDetached, TrackFailed, TrackVanished
from dcl_comms_core.peers import Arrival, Peer, PeerId, PeerTable
from dcl_comms_core.room.event_size import text_weight, weight
from dcl_comms_core.room.incoming.allowances import Guards

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.inputs import Participant, Track, TrackInput
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.room.incoming.allowances import Guard
    from dcl_comms_core.room.incoming.filters import Heard
    from dcl_comms_core.tools.vectors import Vector3

__all__ = ["Roster"]


class Roster:
    """Peers and tracks of one room, each table bounded.  Its methods return the events that follow."""

    __slots__ = (
        "_acquaintances",
        "_early",
        "_early_bytes",
        "_entered",
        "_full",
        "_joins_paid",
        "_limits",
        "_owned",
        "_peers_bytes",
        "_room",
        "_speaking",
        "_tracks",
        "guards",
        "ignored",
        "peers",
    )

    def __init__(self, room: str, limits: Limits, number: int) -> None:
        self._room = room
        self._limits = limits
        self.peers = PeerTable(limits.peers, self)
        self.ignored = Ignored(limits.ignored)
        """Whom we ignore, here or not."""
        self._acquaintances = Acquaintances(limits)
        self._entered = False
        self._speaking: frozenset[PeerId] = frozenset()
        self._peers_bytes = 0
        """What peers say of themselves takes so much."""
        self.guards = Guards(limits, number)
        self._tracks: dict[str, tuple[PeerId, Track]] = {}
        self._owned: dict[PeerId, dict[str, None]] = {}
        """Track ids by owner, in order, so that a peer's leaving does not scan all tracks."""
        self._early: deque[tuple[int, ev.PacketEvent]] = deque()
        self._early_bytes = 0
        self._full: set[str] = set()
        self._joins_paid = float("-inf")
        """Until when the rate of joins is used up, as with allowances."""

    def peer_id(self, identity: str) -> PeerId:
        """The PeerId for an identity from the transport; for a peer in the table always the same object."""
        guard = self.guards.by_text.get(identity)
        return PeerId(identity) if guard is None or guard.id is None else guard.id

    def guard(self, who: PeerId) -> Guard | None:
        """The guard of a peer that is present or left recently."""
        peer = self.peers.entry(who)
        return self.guards.departed(who) if peer is None else self.guards.by_text[peer.id.text]

    def ignore(self, who: PeerId) -> int:
        """Let go unread what a peer sends from now on, if it is here.  How many movements waited, and go too."""
        peer = self.peers.entry(who)
        return 0 if peer is None else self.guards.by_text[peer.id.text].mute()

    def unignore(self, who: PeerId) -> None:
        """Read again what a peer sends."""
        peer = self.peers.entry(who)
        if peer is not None:
            self.guards.by_text[peer.id.text].unmute()

    # --- what is known of a peer

    def position(self, peer: Peer) -> Vector3 | None:
        """Where it is, as it told."""
        last = self._heard_of(peer.id).last
        return None if last is None else last.position

    def full(self, peer: Peer) -> Peer:
        """The peer with all that is known of it."""
        heard = self._heard_of(peer.id)
        return written(
            peer,
            last=heard.last,
            rooms=(self._room,),
            tracks=self.tracks_of(peer.id),
            profile_version=heard.version,
            speaking=peer.id in self._speaking,
        )

    def _heard_of(self, who: PeerId) -> Heard:
        heard = self.guards.by_text[who.text].heard
        assert heard is not None  # noqa: S101 - as long as it is here
        return heard

    def speak(self, identities: Iterable[str]) -> tuple[PeerId, ...]:
        """These are the speakers now, and no others."""
        speakers = tuple(map(self.peer_id, identities))
        self._speaking = frozenset(who for who in speakers if self.peers.entry(who) is not None)
        return speakers

    # --- peers

    def replace_all(self, participants: Iterable[Participant], now: float) -> list[ev.Event]:
        """Take the participants that the transport lists after joining or rejoining."""
        present = {participant.identity: participant for participant in participants}
        # On a new connection old handles of senders mean nothing, and every track is offered anew.
        self._keep_early(())
        events = [event for sid in tuple(self._tracks) for event in self._drop_track(sid, now)]
        for who in self.peers:
            if who.text not in present:
                events += self.leave(who.text, now)
        for participant in present.values():
            events += self.join(participant, now, None, listed=True)
        self._entered = True
        return events

    def join(self, participant: Participant, now: float, source: int | None, *, listed: bool = False) -> list[ev.Event]:
        """Somebody came.  A known identity with a new session id left first: its sender restarted.

        ``listed``: was there when we came, which counts against no rate.
        """
        if len(participant.identity) > self._limits.identity_chars:
            return self._reached("identity_chars", self._limits.identity_chars, now)
        who = PeerId(participant.identity)
        events: list[ev.Event] = []
        known = self.peers.entry(who)
        if known is not None and known.sid == participant.sid:
            events += self.update(participant, now)
        else:
            if known is not None:
                events += self.leave(known.id.text, now)
            # Whom we find when we come back came after us.
            otherwise = Arrival.WAS_HERE if listed and not self._entered else Arrival.NEW
            arrival, first_seen = self._acquaintances.met(who, now, otherwise)
            peer = Peer(
                id=who,
                joined_at=now,
                arrival=arrival,
                first_seen=first_seen,
                sid=participant.sid,
                name=participant.name,
                metadata=participant.metadata,
                attributes=dict(participant.attributes),
            )
            if not listed and not self._may_join(now):
                return events + self._reached("join_rate", self._limits.join_rate, now)
            if not self.peers.put(peer):
                return events + self._reached("peers", self._limits.peers, now)
            self.guards.join(who)
            if who in self.ignored.ends:
                self.ignore(who)
            events.append(ev.PeerJoined(at=now, room=self._room, sender=who, arrival=arrival))
            events += self._weigh(peer, 0, now)
        if source is not None:
            early = self._take_early(source, who)
            if early and who not in self.ignored.ends:
                heard = self._heard_of(who)
                for event in early:
                    heard.early(event)
                events.append(ev.PeerIdentified(at=now, room=self._room, sender=who, early=early))
        return events

    def _may_join(self, now: float) -> bool:
        """Charge a peer that comes to the rate at which all may."""
        until = self._joins_paid
        if until <= now:
            until = now
            self._full.discard("join_rate")
        elif until - now > self._limits.burst_seconds:
            return False
        self._joins_paid = until + 1.0 / self._limits.join_rate
        return True

    def update(self, participant: Participant, now: float) -> list[ev.Event]:
        """Somebody's name, metadata or attributes may have changed."""
        known = self.peers.entry(PeerId(participant.identity))
        if known is None:
            return []
        name, metadata, attributes = participant.name, participant.metadata, dict(participant.attributes)
        if (known.name, known.metadata, known.attributes) == (name, metadata, attributes):
            return []
        peer = replace(known, name=name, metadata=metadata, attributes=attributes)
        self.peers.put(peer)
        updated = ev.PeerUpdated(
            at=now, room=self._room, sender=known.id, name=name, metadata=metadata, attributes=attributes
        )
        return [updated, *self._weigh(peer, _said_by(known), now)]

    def _weigh(self, peer: Peer, before: int, now: float) -> list[ev.Event]:
        """Count what a peer says of itself, which is told, and kept where there is room for it."""
        said = _said_by(peer)
        events: list[ev.Event] = []
        if self._peers_bytes - before + said > self._limits.peers_bytes:
            self.peers.put(replace(peer, name="", metadata="", attributes={}))
            said = 0
            events = self._reached("peers_bytes", self._limits.peers_bytes, now)
        self._peers_bytes += said - before
        return events

    def leave(self, identity: str, now: float) -> list[ev.Event]:
        """Somebody left, and its tracks with it."""
        who = PeerId(identity)
        events = [event for sid in tuple(self._owned.get(who, ())) for event in self._drop_track(sid, now)]
        peer = self.peers.pop(who)
        if peer is not None:
            self.guards.leave(peer.id)
            self._acquaintances.parted(peer.id, now, peer.first_seen)
            if who in self._speaking:
                self._speaking -= {who}
            self._peers_bytes -= _said_by(peer)
            self._full -= {"peers", "peers_bytes"}
            events.append(ev.PeerLeft(at=now, room=self._room, sender=peer.id))
        return events

    # --- early packets

    def remember_early(self, source: int, event: ev.PacketEvent) -> None:
        """Keep an event of a sender that the transport knows only by a handle."""
        early = self._early
        early.append((source, event))
        self._early_bytes += weight(event)
        while len(early) > self._limits.early_packets or self._early_bytes > self._limits.early_bytes:
            self._early_bytes -= weight(early.popleft()[1])

    def _take_early(self, source: int, who: PeerId) -> tuple[ev.PacketEvent, ...]:
        theirs = tuple(replace(event, sender=who) for handle, event in self._early if handle == source)
        if theirs:
            self._keep_early([item for item in self._early if item[0] != source])
        return theirs

    def _keep_early(self, items: Iterable[tuple[int, ev.PacketEvent]]) -> None:
        self._early = deque(items)
        self._early_bytes = sum(weight(event) for _, event in self._early)

    # --- tracks

    def tracks_of(self, who: PeerId) -> tuple[Track, ...]:
        """What a peer publishes, in the order in which it began."""
        return tuple(self._tracks[sid][1] for sid in self._owned.get(who, ()))

    def track(self, inp: TrackInput, now: float) -> list[ev.Event]:  # noqa: PLR0911 - one flat dispatch
        """Events for what the transport says of a track; none for a track that is not known."""
        if isinstance(inp, TrackAppeared):
            return self._add_track(inp, now)
        if isinstance(inp, TrackVanished):
            return self._drop_track(inp.sid, now)
        known = self._tracks.get(inp.sid)
        if known is None:
            return []
        owner, track = known
        if isinstance(inp, TrackAttached):
            return [ev.TrackSubscribed(at=now, room=self._room, sender=owner, track=track)]
        if isinstance(inp, TrackDetached):
            return [ev.TrackUnsubscribed(at=now, room=self._room, sender=owner, track=track)]
        if isinstance(inp, TrackFailed):
            return [ev.TrackSubscriptionFailed(at=now, room=self._room, sender=owner, track=track, detail=inp.detail)]
        track = replace(track, muted=inp.muted)
        self._tracks[inp.sid] = (owner, track)
        return [ev.TrackMuted(at=now, room=self._room, sender=owner, track=track)]

    def owner_of(self, sid: str) -> PeerId | None:
        """Whose track it is; None: no such track is published."""
        known = self._tracks.get(sid)
        return None if known is None else known[0]

    def _add_track(self, inp: TrackAppeared, now: float) -> list[ev.Event]:
        if len(inp.identity) > self._limits.identity_chars:
            return self._reached("identity_chars", self._limits.identity_chars, now)
        if len(self._tracks) >= self._limits.tracks and inp.track.sid not in self._tracks:
            return self._reached("tracks", self._limits.tracks, now)
        owner = self.peer_id(inp.identity)
        self._disown(inp.track.sid)
        self._owned.setdefault(owner, {})[inp.track.sid] = None
        self._tracks[inp.track.sid] = (owner, inp.track)
        return [ev.TrackPublished(at=now, room=self._room, sender=owner, track=inp.track)]

    def _drop_track(self, sid: str, now: float) -> list[ev.Event]:
        self._disown(sid)
        known = self._tracks.pop(sid, None)
        if known is None:
            return []
        self._full.discard("tracks")
        owner, track = known
        return [ev.TrackUnpublished(at=now, room=self._room, sender=owner, track=track)]

    def _disown(self, sid: str) -> None:
        known = self._tracks.get(sid)
        if known is not None:
            theirs = self._owned[known[0]]
            del theirs[sid]
            if not theirs:
                del self._owned[known[0]]

    def _reached(self, limit: str, value: int, now: float) -> list[ev.Event]:
        """LimitReached, once each time the table fills up."""
        if limit in self._full:
            return []
        self._full.add(limit)
        return [ev.LimitReached(at=now, room=self._room, limit=limit, value=value)]


def _said_by(peer: Peer) -> int:
    """What it says of itself takes in memory."""
    pairs = sum(text_weight(name) + text_weight(value) for name, value in peer.attributes.items())
    return text_weight(peer.name) + text_weight(peer.metadata) + pairs
