"""What pages do in a room: verbs that wait in a mailbox and are used in the room's own turn, whatever loop it has."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.errors import (
    CommsError,
    ConnectionLost,
    EncodeError,
    NotInARoom,
    PacketTooLarge,
    PermissionMissing,
    SendQueueFull,
)
from dcl_comms_core.peers import EVERYONE
from dcl_comms_core.tools.timers import earlier
from dcl_comms_core.tools.urls import url_without_secrets
from dcl_comms_core.walking.pace import Pace
from dcl_comms_core.weather.can import Can
from dcl_comms_station.board.asked import Refused
from dcl_comms_station.board.making.composing import call, compose
from dcl_comms_station.board.texts import cut
from dcl_comms_station.web.media.room import RoomMedia, mute

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.connection.base import BaseConnection

    from dcl_comms_core.events import Event
    from dcl_comms_core.peers import Addressees
    from dcl_comms_station.board.asked import Arguments
    from dcl_comms_station.board.limits import StationLimits
    from dcl_comms_station.web.mailbox import StationTap
    from dcl_comms_station.web.media.box import MediaBox

__all__ = ["Hands", "refusal"]

_CODES: Final[tuple[tuple[type[CommsError], str], ...]] = (
    (SendQueueFull, "queue_full"),
    (PermissionMissing, "permission"),
    (PacketTooLarge, "too_large"),
    (EncodeError, "encode"),
    (NotInARoom, "not_in_room"),
    (ConnectionLost, "lost"),
)
_WORDS: Final = {"chat": Can.CHAT, "whisper": Can.WHISPER, "move": Can.MOVE}
_NAMES: Final = 2
"""Peers whose names are asked for at once."""
_MEASURE: Final = 5
"""Every so often the round trip is measured again, in seconds."""
_TEXT: Final = 300
_TIMES: Final = 200
_HERTZ: Final = 20.0


def refusal(error: CommsError) -> Refused:
    """As a page is told."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "failed")
    return Refused(code, str(error), field="text" if code == "too_large" else None)


class Hands:
    """A chore beside a room's session: what is put here from another thread is done in the room's next turn."""

    def __init__(self, room: BaseConnection, tap: StationTap, box: MediaBox, limits: StationLimits) -> None:
        self._room = room
        self._media = RoomMedia(room, box, limits)
        self._tap = tap
        self._waiting: deque[tuple[Callable[[], Any], Callable[[Any, CommsError | Refused | None], None]]] = deque()
        self._repeats: list[tuple[float, float, int, Arguments]] = []
        self._counted = 0
        room.driver.chores.add(self)

    # --- from any thread

    def ask(self, do: Callable[[], Any], done: Callable[[Any, CommsError | Refused | None], None]) -> None:
        """Do this in the room's turn; ``done`` is told there."""
        self._waiting.append((do, done))
        self._room.driver.wake()

    def act(self, do: str, given: Arguments, done: Callable[[Any, CommsError | Refused | None], None]) -> None:
        """Use a verb."""
        self.ask(lambda: self._act(do, given), done)

    def count(self) -> None:
        """Tell the tap what the connection counted."""
        self.ask(self._count, lambda _answer, _error: None)

    def want(self, heard: frozenset[str], seen: frozenset[str]) -> None:
        """Listen to these tracks, look at those, and at no others."""
        self.ask(lambda: self._media.want(heard, seen), lambda _answer, _error: None)

    def now(self) -> float:
        """The time of the room's host."""
        return self._room.driver.host.now()

    # --- the chore

    def take(self, events: list[Event], *, now: float) -> None:
        """Tracks come and go; the rest the tap tells already."""
        self._media.take(events, now=now)

    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due."""
        if self._waiting:
            return 0.0
        return earlier(self._media.deadline(), min((due for due, *_ in self._repeats), default=None))

    def handle_timeout(self, now: float) -> None:
        """Do what waits."""
        while self._waiting:
            do, done = self._waiting.popleft()
            try:
                answer = do()
            except (CommsError, Refused) as error:
                done(None, error)
            else:
                done(answer, None)
        self._repeat(now)
        self._media.handle_timeout(now)

    def let_go(self) -> None:
        """Stand beside it no more.  From any thread."""
        self.ask(self._end, lambda _answer, _error: None)

    def _end(self) -> None:
        self._media.close()
        self._repeats.clear()
        self._room.driver.chores.remove(self)

    # --- the verbs

    def _act(self, do: str, given: Arguments) -> dict[str, Any]:  # noqa: C901, PLR0911, PLR0912 - one short case for each
        room = self._room
        match do:
            case "chat" | "whisper":
                return self._chat(given, private=do == "whisper")
            case "move":
                velocity = given.point("velocity") if "velocity" in given else (0.0, 0.0, 0.0)
                yaw, instant = given.number("yaw", room.me.yaw), given.truth("instant", default=False)
                place = given.point("position")
                room.move(place, velocity=velocity, yaw=yaw, instant=instant)
                return {"python": call("move", repr(place), yaw=yaw, instant=instant or None)}
            case "walk":
                return self._walk(given)
            case "emote":
                urn, stop, to = given.text("urn", most=1_000), given.truth("stop", default=False), given.texts("to")
                room.emote(urn, stop=stop, to=_addressees(to))
                return {"python": call("emote", repr(urn), to=to, stop=stop or None)}
            case "react":
                return self._react(given)
            case "scene":
                scene, to = given.text("scene_id", most=1_000), given.texts("to")
                data = given.hex("hex") if "hex" in given else given.text("text").encode()
                room.scene_message(scene, data, to=_addressees(to))
                return {"python": call("scene_message", repr(scene), repr(data), to=to)}
            case "profile":
                return {"asked": room.request_profile(given.text("peer"), given.whole("version", 0))}
            case "announce":
                version = given.whole("version")
                room.announce_profile(version)
                return {"python": call("announce_profile", repr(version))}
            case "send":
                return self._send(given)
            case "ignore":
                return self._ignore(given)
            case "subscribe":
                sid, on = given.text("track", most=1_000), given.truth("on")
                found = room.subscribe(sid) if on else room.unsubscribe(sid)
                if not found:
                    raise Refused("not_found", "this track is gone", field="track")
                return {"python": call("subscribe" if on else "unsubscribe", repr(sid))}
            case "publish":
                return self._media.publish(given)
            case "enter_scene":
                scene, parcel = given.text("scene", most=1_000), given.parcel("parcel")
                room.enter_scene(scene, parcel)
                return {"python": call("enter_scene", repr(scene), repr(parcel))}
            case "leave_scene":
                room.leave_scene()
                return {"python": call("leave_scene")}
            case _:
                raise Refused("unavailable", f"{do} can't be done from here yet")

    def _chat(self, given: Arguments, *, private: bool) -> dict[str, Any]:
        text, to, channel = given.text("text"), given.texts("to"), given.text("channel", "", most=1_000)
        if private and not to:
            raise Refused("bad_request", "a whisper is for somebody", field="to")
        self._room.chat(text, to=_addressees(to), channel=channel)
        return {"python": call("chat", repr(text), to=to, channel=channel)}

    def _walk(self, given: Arguments) -> dict[str, Any]:
        room, pace = self._room, given.text("pace", Pace.JOG.name.lower(), most=20)
        if given.all.get("stand") is True:
            room.stand()
            return {"python": call("stand")}
        if "follow" in given:
            who, metres = given.text("follow"), given.number("metres", 3.0)
            room.walking.follow(who, metres, pace)
            return {"python": call("follow", repr(who), metres=metres)}
        stop = given.number("stop", 0.0)
        where: Any = given.text("peer") if "peer" in given else given.point("point")
        room.walking.go(where, stop, pace)
        return {"python": "await " + call("walk_to", repr(where), stop=stop or None, pace=pace)}

    def _react(self, given: Arguments) -> dict[str, Any]:
        emoji, to = given.whole("emoji"), given.texts("to")
        if "message" in given:
            message, remove = given.text("message", most=1_000), given.truth("remove", default=False)
            self._room.react_to(message, emoji, remove=remove, to=_addressees(to))
            return {"python": call("react_to", repr(message), repr(emoji), to=to, remove=remove or None)}
        count = given.whole("count", 1)
        self._room.react(emoji, count=count, to=_addressees(to))
        return {"python": call("react", repr(emoji), to=to, count=None if count == 1 else count)}

    def _send(self, given: Arguments) -> dict[str, Any]:
        made = compose(given)
        times, hertz = given.whole("times", 1), given.number("hz", 1.0)
        if not 1 <= times <= _TIMES or not 0.0 < hertz <= _HERTZ:
            raise Refused("bad_request", f"{_TIMES} times at most, {_HERTZ:g} in a second at most", field="times")
        if len(self._repeats) >= _NAMES and times > 1:
            raise Refused("busy", "packets are being repeated already")
        self._send_once(given)
        if times > 1:
            self._repeats.append((self._room.driver.host.now() + 1.0 / hertz, 1.0 / hertz, times - 1, given))
        return {"size": len(made.data), "python": made.python}

    def _send_once(self, given: Arguments) -> None:
        made = compose(given)
        to = _addressees(made.to)
        if made.packet is None:
            self._room.send_bytes(made.data, to=to, reliable=made.is_reliable, topic=made.topic)
        else:
            self._room.send_nowait(made.packet, to=to, reliable=made.reliable, topic=made.topic)

    def _repeat(self, now: float) -> None:
        """What is sent several times; it ends where it can't be sent."""
        for one in [one for one in self._repeats if one[0] <= now]:
            self._repeats.remove(one)
            _, pause, left, given = one
            try:
                self._send_once(given)
            except (CommsError, Refused):
                continue
            if left > 1:
                self._repeats.append((now + pause, pause, left - 1, given))

    def _ignore(self, given: Arguments) -> dict[str, Any]:
        who, on = given.text("peer"), given.truth("on")
        if not on:
            self._room.unignore(who)
            return {"python": call("unignore", repr(who))}
        seconds = given.number("seconds") if "seconds" in given else None
        self._room.ignore(who, seconds=seconds)
        return {"python": call("ignore", repr(who), seconds=seconds)}

    # --- counts

    def _count(self) -> None:
        room, driver = self._room, self._room.driver
        if self._counted % _MEASURE == 0:
            room.request_stats()
        self._counted += 1
        stats = room.stats
        place = room.me.position
        realm = room.realm
        silence = mute(room)
        can = {name: _obstacle(room, can) for name, can in _WORDS.items()}
        can["subscribe"] = None if silence is None else silence["why"]
        can["publish"] = can["subscribe"] or _obstacle(room, Can.SPEAK)
        self._tap.counted(
            driver.host.now(),
            {
                "round_trip": stats.round_trip,
                "lost": dict(stats.lost),
                "queue": {
                    "waiting": stats.waiting,
                    "in_flight": stats.in_flight,
                    "credits": stats.credits,
                    "unread": stats.unread_events,
                },
                "reconnects": stats.reconnects,
                "can": can,
                "mute": silence,
                "position": list(place),
                "realm": None
                if realm is None
                else {"name": cut(realm.name or "", _TEXT)[0], "url": url_without_secrets(realm.url or "")},
                "names": self._names(),
                "scores": self._scores(),
                "rooms": self._rooms(),
            },
        )

    def _names(self) -> dict[str, str]:
        """What some peers are called, as their realm says; it is asked for a few at a time."""
        room, found = self._room, dict[str, str]()
        if room.realm is None:
            return found
        now, asked = room.driver.host.now(), 0
        for who in room.peers:
            if len(found) + asked >= 50 or asked >= _NAMES:  # noqa: PLR2004 - names in one observation
                break
            person = room.driver.names.answer(who, now)
            if person is None:
                asked += 1
            elif person.name:
                found[who.text] = person.name
        return found

    def _rooms(self) -> dict[str, list[str]]:
        """Who is in which room of a realm: events tell of that somebody is there, and not of each room."""
        room = self._room
        if room.driver.realm is None:
            return {}
        return {who.text: list(room.rooms_of(who)) for who in room.peers}

    def _scores(self) -> dict[str, float]:
        room, found = self._room, dict[str, float]()
        for who in list(room.peers)[:200]:
            traffic = room.traffic(who)
            if traffic is not None and traffic.abuse:
                found[who.text] = traffic.abuse
        return found


def _addressees(to: list[str] | None) -> Addressees:
    return EVERYONE if to is None else to


def _obstacle(room: BaseConnection, what: Can) -> str | None:
    ability = room.can(what)
    return None if ability else ability.detail or "it can't be done now"
