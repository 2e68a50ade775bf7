"""One session as it is observed: who is there, what was said, what came, how it stands."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, cast

from dcl_comms_core import events as ev
from dcl_comms_core.codec import decode_kind
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.packets.meaning import meaning_of
from dcl_comms_core.peers import Arrival, PeerId
from dcl_comms_core.readers.kinds import EVERY_KIND
from dcl_comms_station.board.observed import Acknowledged, Counted, Missed, Received, Sent, Step
from dcl_comms_station.board.store.entering import Entering
from dcl_comms_station.board.store.log import Log
from dcl_comms_station.board.store.packets import Packets
from dcl_comms_station.board.store.people import PULSE, People
from dcl_comms_station.board.store.rates import Bins, Fading
from dcl_comms_station.board.store.steps import Steps
from dcl_comms_station.board.store.talk import Talk
from dcl_comms_station.board.store.timeline import COLUMNS, Timeline
from dcl_comms_station.board.texts import cut, short_float

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dcl_comms_core.events import Event
    from dcl_comms_station.board.limits import StationLimits
    from dcl_comms_station.board.observed import Observed
    from dcl_comms_station.board.store.packets import Kept
    from dcl_comms_station.board.store.people import Person
    from dcl_comms_station.board.store.talk import Line

__all__ = ["Stage"]

_IN, _OUT, _CHATS, _JOINS, _LEAVES, _LOST, _RECONNECTS = range(len(COLUMNS))
_PROFILE_SECONDS: Final = 10.0
_PROFILE: Final = 8_000
_LIMITS: Final = 50
_SAID: Final = frozenset({"chat", "player_emote", "reaction", "chat_reaction"})
_ROOMS: Final = 8
_OF_A_REALM: Final = frozenset({"island", "scene"})
_MOVING: Final = frozenset({"position", "movement", "movement_compressed"})


class Stage:
    """It takes what is observed.  What pages are to be told at once is in ``news``."""

    def __init__(self, limits: StationLimits, *, names: Mapping[str, tuple[str, str]] | None = None) -> None:
        self.limits = limits
        self.entering = Entering()
        self.people = People(limits.peers)
        self.people.names.update(names or {})
        self.talk = Talk(limits.chat, limits.text)
        self.log = Log(limits.events)
        self.packets = Packets(limits.packets, limits.packets_bytes)
        self.steps = Steps(limits.steps)
        self.timeline = Timeline()
        self.news: list[dict[str, Any]] = []
        self.changed = True
        """Whether STATE is another."""
        self.lenient = False
        """Whether who moves is there, though nothing told that it came: what is shown may begin later than that."""
        self.missed = 0
        self.counted: Mapping[str, Any] = {}
        self._came = {False: Counter[str](), True: Counter[str]()}
        self._bins = {False: Bins(), True: Bins()}
        self._kinds = {False: Fading(), True: Fading()}
        self._verdicts = Counter[str]()
        self._reached: list[dict[str, Any]] = []
        self._asked: dict[str, float] = {}

    # --- what is observed

    def observe(self, seen: Observed) -> None:
        """Take one observation."""
        match seen:
            case Received():
                self._received(seen)
            case Sent():
                self._sent(seen)
            case Step():
                self._step(seen)
            case Acknowledged():
                for line in self.talk.acknowledged(seen.room, seen.tokens, failed=seen.failed):
                    self.news.append(line.told())
            case Counted():
                self._counted(seen)
            case Missed():
                self.missed += seen.many
                self.news.append({"k": "gap", "what": "mailbox", "count": seen.many})

    def pass_time(self, t: float) -> None:
        """Let the session's time pass."""
        self.people.expire(t)
        for who, asked in list(self._asked.items()):
            if t - asked >= _PROFILE_SECONDS:
                del self._asked[who]
                self.news.append({"k": "profile", "id": who, "state": "none", "version": None, "text": "", "cut": 0})

    def due(self) -> float | None:
        """When ``pass_time`` has something to do, in the session's time."""
        times = [asked + _PROFILE_SECONDS for asked in self._asked.values()]
        expiry = self.people.next_expiry()
        return min((*times, expiry) if expiry is not None else times, default=None)

    def profile_asked(self, who: str, t: float) -> None:
        """Somebody was asked for its profile."""
        if len(self._asked) < self.limits.verbs:
            self._asked[who] = t
        self.news.append({"k": "profile", "id": who, "state": "asked", "version": None, "text": "", "cut": 0})

    def _received(self, seen: Received) -> None:
        kept = self.packets.received(seen)
        verdict = seen.verdict.partition("@")[0]
        self._verdicts[verdict if len(self._verdicts) < _LIMITS or verdict in self._verdicts else "other"] += 1
        self._count(kept)
        if verdict != "told":
            self.timeline.add(kept.t, _LOST)
        person = self.people.get(kept.sender)
        if person is not None:
            person.seen = kept.t
            person.bins.add(kept.t, len(kept.data))
            person.kinds.add(kept.kind or "unknown", kept.t)
            if person is not self.people.me and person.gone is None and self._is_in(person, kept.room):
                self.people.shown(person)
                self.news.append(person.told())
        self.steps.packet(kept)

    def _sent(self, seen: Sent) -> None:
        kept = self.packets.sent(seen)
        self._count(kept)
        self.steps.packet(kept)
        me = self.people.me
        if me is not None:
            me.bins.add(kept.t, len(kept.data))
            me.kinds.add(kept.kind or "unknown", kept.t)
            if kept.kind in _MOVING:
                self._we_moved(me, kept)
            elif kept.kind == "profile_version" and (told := self.fields_of(kept)) is not None:
                self._change(me.who, "profile_version", value=told.get("profile_version"))
        if kept.kind in _SAID:
            self._we_said(kept, seen.command.token)

    def _count(self, kept: Kept) -> None:
        counter = self._came[kept.ours]
        counter["packets"] += 1
        counter["bytes"] += len(kept.data)
        self._bins[kept.ours].add(kept.t, len(kept.data))
        self._kinds[kept.ours].add(kept.kind or "unknown", kept.t)
        self.timeline.add(kept.t, _OUT if kept.ours else _IN)

    def _we_moved(self, me: Person, kept: Kept) -> None:
        event = kept.packet().event
        if isinstance(event, ev.PeerMoved):
            self._moved(me, event, kept.t)

    def _we_said(self, kept: Kept, token: int) -> None:
        room = str(kept.room)
        line = self.talk.same(kept.data, room, kept.t)
        if line is not None:
            line.rooms.append(room)
        else:
            line = self._said(kept.t, kept.packet().event, ours=True)
            if line is None:
                return
            line.private, line.to, line.state = kept.private, kept.to, "waiting"
            if kept.private:
                line.channel = ""
        self.talk.sent(line, kept.data, room, token)
        self.news.append(line.told())

    # --- steps

    def _step(self, seen: Step) -> None:
        item = seen.item
        self.steps.step(seen.t, item)
        if self.entering.take(seen.t, item):
            self.changed = True
            if self.entering.identity is not None:
                before = self.people.me
                me = self.people.be(self.entering.identity, seen.t)
                rooms = list(self.entering.rooms)
                if before is None or rooms != me.rooms:
                    me.rooms = rooms
                    self.news.append(me.told())
        if type(item) in EVERY_KIND:
            self._event(seen.t, cast("Event", item))

    def _event(self, t: float, event: Event) -> None:  # noqa: C901, PLR0912, PLR0915 - one case for each kind of event
        line = self.log.take(t, event)
        if line is not None:
            self.news.append(line)
        match event:
            case ev.PeerMoved():
                self._peer_moved(t, event)
            case ev.PeerJoined():
                self._joined(t, event)
            case ev.PeerLeft():
                self._left(t, event)
            case ev.ChatReceived() | ev.PeerEmoted() | ev.ReactionReceived():
                self._heard(t, event)
            case ev.PeerIdentified():
                for early in event.early:
                    self._event(t, early)
            case ev.PeerUpdated():
                person = self.people.get(event.sender)
                if person is not None:
                    person.metadata, person.attributes = event.metadata, dict(event.attributes)
                    person.name = event.name or person.name
                    self.news.append(person.told())
            case ev.PeerIgnored():
                self._change(event.sender, "ignored", value=True)
            case ev.ProfileAnnounced():
                self._change(event.sender, "profile_version", value=event.version)
            case ev.ProfileReceived():
                self._profile(event)
            case ev.SpeakersChanged():
                self._speakers(event)
            case ev.TrackPublished() | ev.TrackMuted():
                self._track(event)
            case ev.TrackSubscribed():
                self._track(event, subscribed=True)
            case ev.TrackUnsubscribed():
                self._track(event, subscribed=False)
            case ev.TrackUnpublished():
                person = self.people.get(event.sender)
                if person is not None and person.tracks.pop(event.track.sid, None) is not None:
                    self.news.append(person.told())
            case ev.RoomClosed() if event.room not in self.entering.rooms:
                self._room_closed(t, event.room)
            case ev.WorldClosed():
                for person in list(self.people.here()):
                    self._gone(person, t)
            case ev.LimitReached():
                who = None if event.sender is None else event.sender.text
                limit = {"limit": event.limit, "value": event.value, "t": round(t, 3), "id": who}
                self._reached = [*self._reached[1 - _LIMITS :], limit]
            case ev.Reconnecting():
                self.timeline.add(t, _RECONNECTS)
            case ev.PacketReceived():
                self._raw(t, event)
            case _:
                pass

    def _raw(self, t: float, event: ev.PacketReceived) -> None:
        """Where packets are told as they came, they mean the same."""
        if event.kind not in _SAID | _MOVING:
            return
        told = meaning_of(
            event.at,
            event.room,
            event.sender,
            event.data,
            private=event.private,
            reliable=event.reliable,
            topic=event.topic,
        ).event
        if not isinstance(told, ev.PacketReceived):
            self._event(t, told)

    def _peer_moved(self, t: float, event: ev.PeerMoved) -> None:
        known = self.people.get(event.sender)
        if known is None and self.lenient and event.sender is not None:
            known = self.people.meet(event.sender, t)
            if known is not None:
                self._is_in(known, event.room)
        if known is None or known.gone is not None:
            return
        if event.room == PULSE:
            known.pulse, known.seen = True, t
            known.kinds.add("pulse", t)
            known.bins.add(t, 0)
        self._moved(known, event, t)

    def _moved(self, person: Person, event: ev.PeerMoved, t: float) -> None:
        message = event.message
        speed = sum(axis * axis for axis in event.velocity) ** 0.5
        instant, grounded = getattr(message, "is_instant", False), getattr(message, "is_grounded", True)
        if self.people.moved(person, event.position, event.yaw, speed, t, instant=instant, grounded=grounded):
            self.news.append(person.told())
            self.changed = True

    def _joined(self, t: float, event: ev.PeerJoined) -> None:
        known = self.people.get(event.sender)
        was_here = known is not None and known.gone is None
        person = self.people.meet(event.sender, t)
        if person is None:
            return
        self._is_in(person, event.room)
        if not was_here:
            person.arrival = event.arrival.value
            if event.arrival is not Arrival.WAS_HERE:
                self.timeline.add(t, _JOINS)
                self.news.append(person.told())
                self._told_of(t, "join", person, "came")
        self.people.shown(person)
        self.news.append(person.told())
        self.changed = True

    def _left(self, t: float, event: ev.PeerLeft) -> None:
        person = self.people.get(event.sender)
        if person is None or person is self.people.me or person.gone is not None:
            return
        # Of several rooms it is told once, when somebody has left the last.
        self._told_of(t, "leave", person, "left")
        self._gone(person, t)
        self.timeline.add(t, _LEAVES)

    def _is_in(self, person: Person, room: str) -> bool:
        """Somebody is in this room, or told of by what has this label; whether that is news."""
        if room == PULSE:
            known, person.pulse = person.pulse, True
            return not known
        if str(room) in person.rooms or len(person.rooms) >= _ROOMS:
            return False
        person.rooms = [*person.rooms, str(room)]
        return True

    def _room_closed(self, t: float, room: str) -> None:
        """A room is over: of a realm, others may have whom we met there; else everybody is gone."""
        for person in list(self.people.here()):
            if room in person.rooms:
                person.rooms = [one for one in person.rooms if one != room]
                if room in _OF_A_REALM:
                    self.people.shown(person)
                    self.news.append(person.told())
                else:
                    self._gone(person, t)

    def _gone(self, person: Person, t: float) -> None:
        self.people.leave(person, t)
        self.people.forget_place(person)
        self.news.append({"k": "gone", "slot": person.slot, "id": person.who.text, "t": round(t, 3)})
        self.changed = True

    def _told_of(self, t: float, kind: str, person: Person, text: str) -> None:
        line = self.talk.add(
            t, kind, text, slot=person.slot, id=person.who.text, name=person.name, rooms=list(person.rooms)
        )
        self.news.append(line.told())

    def _heard(self, t: float, event: ev.ChatReceived | ev.PeerEmoted | ev.ReactionReceived) -> None:
        line = self._said(t, event, ours=False)
        if line is not None:
            self.news.append(line.told())

    def _said(self, t: float, event: object, *, ours: bool) -> Line | None:
        """A line of what was said; None: it is nothing that is said."""
        what: dict[str, Any] = {"ours": ours}
        match event:
            case ev.ChatReceived():
                kind, text = "chat", event.text
                what["stamp"] = event.sent_at
                what["forwarded_from"] = event.forwarded_from or ""
                what["channel"] = "" if event.private else event.topic
                what["message_id"] = event.message_id
            case ev.PeerEmoted():
                kind, text = "emote", f"{'stops' if event.stopping else 'plays'} {event.urn}"
            case ev.ReactionReceived():
                kind, text = "reaction", f"emoji {event.emoji_index}" + (f" x {event.count}" if event.count > 1 else "")
                what["message_id"] = event.message_id
            case _:
                return None
        if kind == "chat":
            self.timeline.add(t, _CHATS)
        who = self.people.me if ours else self.people.get(event.sender)
        sender = event.sender.text if event.sender is not None else None
        return self.talk.add(
            t,
            kind,
            text,
            slot=None if who is None else who.slot,
            id=sender if who is None else who.who.text,
            name="" if who is None else who.name,
            rooms=[str(event.room)],
            private=event.private,
            **what,
        )

    def _change(self, who: PeerId | None, name: str, *, value: object) -> None:
        person = self.people.get(who)
        if person is not None and getattr(person, name) != value:
            setattr(person, name, value)
            self.news.append(person.told())

    def _profile(self, event: ev.ProfileReceived) -> None:
        person = self.people.get(event.sender)
        if person is None or event.sender is None:
            return
        person.profile, missing = cut(event.serialized, _PROFILE)
        if self._asked.pop(event.sender.text, None) is not None or event.requested:
            self.news.append(
                {"k": "profile", "id": event.sender.text, "state": "got", "version": person.profile_version,
                 "text": person.profile, "cut": missing}
            )  # fmt: skip

    def _speakers(self, event: ev.SpeakersChanged) -> None:
        loud = {who.key for who in event.speakers}
        for person in self.people:
            if person.speaking != (person.who.key in loud):
                person.speaking = not person.speaking
                self.people.shown(person)
                self.news.append(person.told())

    def _track(
        self, event: ev.TrackPublished | ev.TrackMuted | ev.TrackSubscribed | ev.TrackUnsubscribed,
        *, subscribed: bool | None = None,
    ) -> None:  # fmt: skip
        person = self.people.get(event.sender)
        if person is not None:
            self.people.add_track(person, event.track, subscribed=subscribed)
            self.news.append(person.told())

    def _counted(self, seen: Counted) -> None:
        before, self.counted = self.counted, seen.values
        if any(before.get(name) != seen.values.get(name) for name in ("can", "mute")):
            self.changed = True
        for who, name in seen.values.get("names", {}).items():
            self._change(PeerId(who), "name", value=name)
        for who, rooms in seen.values.get("rooms", {}).items():
            person = self.people.get(who)
            if person is not None and person.gone is None and sorted(rooms) != sorted(person.rooms):
                person.rooms = list(rooms)
                self.people.shown(person)
                self.news.append(person.told())
        for who, score in seen.values.get("scores", {}).items():
            person = self.people.get(who)
            if person is not None:
                person.score = score
        me, place = self.people.me, seen.values.get("position")
        if me is not None and place is not None and me.place is None:
            x, y, z = place
            self.people.moved(me, (x, y, z), 0.0, 0.0, seen.t)
            self.news.append(me.told())

    # --- what is told of it

    def silent(self) -> list[dict[str, Any]]:
        """Who tells no position, counted by reason."""
        announced = self.people.me is None or self.people.me.profile_version is not None
        reasons = Counter[tuple[str, str | None]]()
        for person in self.people.here():
            if person.place is not None:
                continue
            if person.kind == "server":
                reasons["no player: it has no wallet, as servers and observers have none", None] += 1
            elif not announced:
                reasons["we announced no profile, and clients tell those who have none nothing", "announce"] += 1
            else:
                reasons["it said nothing of where it is yet", None] += 1
        return [{"why": why, "fix": fix, "count": count} for (why, fix), count in reasons.items()]

    def stats(self, t: float) -> dict[str, Any]:
        """What of STATS it knows."""
        counted = self.counted
        return {
            "k": "stats",
            "t": round(t, 3),
            "round_trip": counted.get("round_trip"),
            "in": self._traffic(t, ours=False),
            "out": self._traffic(t, ours=True),
            "kinds_in": self._kinds[False].now(t),
            "kinds_out": self._kinds[True].now(t),
            "lost": counted.get("lost", {}),
            "verdicts": dict(self._verdicts),
            "queue": counted.get("queue"),
            "reconnects": counted.get("reconnects", 0),
            "peers": len(self.people),
            "unshown": self.people.unshown,
            "limits": self._reached,
            "token": self.entering.token,
            "islands": [{"t": round(at, 3), "id": island} for at, island in self.entering.islands],
            "kept": {
                "packets": len(self.packets),
                "bytes": self.packets.size,
                "chat": len(self.talk),
                "events": len(self.log),
            },
            "missed": self.missed,
        }

    def _traffic(self, t: float, *, ours: bool) -> dict[str, float]:
        pps, bps = self._bins[ours].per_second(t)
        came = self._came[ours]
        return {"pps": short_float(pps, 1), "bps": round(bps), "packets": came["packets"], "bytes": came["bytes"]}

    def fields_of(self, kept: Kept) -> dict[str, Any] | None:
        """A packet's fields as plain values; None: it is none that can be read."""
        from dcl_comms_station.forms import plain  # noqa: PLC0415 - for what is looked at only

        try:
            kind, packet = decode_kind(kept.data)
        except DecodeError:
            return None
        told = None if kind is None else plain(getattr(packet, kind))
        return cast("dict[str, Any]", told) if isinstance(told, dict) else None

    def some_of(self, lines: Iterable[Line]) -> list[dict[str, Any]]:
        """Lines as events."""
        return [line.told() for line in lines]
