"""What pages ask and the Board answers by itself: a packet, a peer, steps, filters, targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from dcl_comms_core.adapters.connection_string import Adapter, LiveKitAdapter
from dcl_comms_core.adapters.targets import parse_target
from dcl_comms_core.errors import CommsError, InvalidFilter
from dcl_comms_core.readers.kinds import EVERY_KIND
from dcl_comms_core.records.filters import Filter
from dcl_comms_core.records.forms import event_name
from dcl_comms_core.tools.urls import url_without_secrets
from dcl_comms_station.board.asked import Refused
from dcl_comms_station.board.making.composing import call, compose, forms
from dcl_comms_station.board.making.spans import tree_of
from dcl_comms_station.board.player import Remembered
from dcl_comms_station.board.store.entering import grants_of
from dcl_comms_station.board.texts import cut
from dcl_comms_station.lines import describe

if TYPE_CHECKING:
    from dcl_comms_station.board.asked import Arguments
    from dcl_comms_station.board.limits import StationLimits
    from dcl_comms_station.board.observed import Observed
    from dcl_comms_station.board.player import Player, Recording
    from dcl_comms_station.board.store.packets import Kept
    from dcl_comms_station.board.store.stage import Stage
    from dcl_comms_station.board.windows import Searches

__all__ = ["ANSWERS", "Asking"]

_STEPS: Final = 50
_TARGET: Final = 20_000
_TEXT: Final = 2_000
_PROFILE: Final = 8_000
_FIELDS: Final = (
    ("kind", "what it is", tuple(form["kind"] for form in forms())),
    ("peer", "who sent it; * at the end stands for the rest", ()),
    ("me", "what we sent", None),
    ("dir", "whether it came or went", ("in", "out")),
    ("room", "by which room", ("island", "scene")),
    ("private", "for some alone", None),
    ("reliable", "by the reliable way", None),
    ("lossy", "by the other way", None),
    ("topic", "what it was sent under", ()),
    ("size", "bytes", ()),
    ("verdict", "what became of it", ("told", "late", "held", "rate", "ignored", "rejected")),
    ("rejected", "no acceptable packet", None),
    ("text", "has it in any text", ()),
    ("near", "metres around us, or x,z,metres", ()),
    ("after", "from that time of day on", ()),
    ("before", "until that time of day", ()),
    ("since", "of the last 10s, 5m, 1h", ()),
    ("marked", "somebody marked it", None),
)
"""What filters may say: a name, what it is about, values; None: it stands alone."""


class Looked(Protocol):
    """What of the Board is looked at, and what plays."""

    limits: StationLimits

    @property
    def stage(self) -> Stage:
        """What pages see."""
        ...

    @property
    def live(self) -> Stage | None:
        """The session that is open."""
        ...

    @property
    def player(self) -> Player | None:
        """What plays."""
        ...

    @property
    def searches(self) -> Searches:
        """The filters in use."""
        ...

    @property
    def remembered(self) -> list[Observed]:
        """What may be looked back at."""
        ...

    @property
    def forgotten(self) -> str:
        """What is missing of it."""
        ...

    def time(self, now: float) -> float:
        """The session's time."""
        ...

    def look_back(self, recording: Recording, *, at: float, now: float) -> None:
        """Show what was."""
        ...

    def look_live(self, *, now: float) -> None:
        """Show what is."""
        ...

    def seek(self, at: float, *, now: float) -> None:
        """Show what was at a time."""
        ...

    def retell(self, *, now: float) -> None:
        """STATE is another."""
        ...


class Asking:
    """It looks at the Board, and changes nothing but what plays."""

    def __init__(self, board: Looked) -> None:
        self._board = board

    def answer(self, do: str, given: Arguments, now: float) -> dict[str, Any]:  # noqa: PLR0911 - one for each
        """The answer.  Refused, InvalidFilter: there is none."""
        match do:
            case "packet":
                return self._packet(given)
            case "peer":
                return self._peer(given, now)
            case "find":
                return self._find(given)
            case "filter":
                return _filter(given)
            case "learn":
                return self._learn(given)
            case "kinds":
                return {"kinds": forms()}
            case "encode":
                made = compose(given)
                return {
                    "hex": made.data[: self._board.limits.shown_bytes].hex(),
                    "size": len(made.data),
                    "python": made.python,
                    "reliable": made.is_reliable,
                    "notes": made.notes,
                }
            case "check":
                return check(given.text("text", most=_TARGET), now)
            case _:
                return self._play(given, now)

    def _packet(self, given: Arguments) -> dict[str, Any]:
        board = self._board
        stage, n = board.stage, given.whole("n")
        kept = stage.packets.get(n)
        if kept is None:
            raise Refused("not_found", "this packet is not kept any more", field="n")
        person = stage.people.me if kept.ours else stage.people.get(kept.sender)
        shown = kept.data[: board.limits.shown_bytes]
        return {
            "row": stage.packets.row(kept, None if person is None else person.slot, None),
            "hex": shown.hex(),
            "cut": len(kept.data) - len(shown),
            "tree": tree_of(kept.data, board.limits.tree),
            "meaning": {"text": _meaning(kept), "fields": _small(stage.fields_of(kept))},
            "python": _python(kept),
            "to": [cut(one, _TEXT)[0] for one in kept.to[:50]] or None,
            "previous": stage.packets.previous(kept),
        }

    def _peer(self, given: Arguments, now: float) -> dict[str, Any]:
        board = self._board
        stage, t = board.stage, board.time(now)
        person = stage.people.get(given.text("peer"))
        if person is None:
            raise Refused("not_found", "this peer is not here any more", field="peer")
        profile = person.profile
        text, missing = cut(profile or "", _PROFILE)
        return {
            "peer": {name: value for name, value in person.told().items() if name != "k"},
            "row": person.row(t, stage.people.me),
            **person.details(),
            "profile": None
            if profile is None
            else {
                "id": person.who.text,
                "state": "got",
                "version": person.profile_version,
                "text": text,
                "cut": missing,
            },
            "history": person.bins.history(t),
        }

    def _find(self, given: Arguments) -> dict[str, Any]:
        search = self._board.searches.search(given.text("filter", "", most=500))
        search.look(self._board.limits.packets)
        n = search.beside(given.whole("from", 0), back=given.truth("back", default=False))
        kept = None if n is None else self._board.stage.packets.get(n)
        if n is None or kept is None:
            return {"n": None}
        return {"n": n, "i": search.ordinal(n), "t": round(kept.t, 6)}

    def _learn(self, given: Arguments) -> dict[str, Any]:
        steps = self._board.stage.steps
        told = steps.told()
        count = min(max(given.whole("count", _STEPS), 0), _STEPS)
        return {"first": told["first"], "end": told["end"], "steps": steps.some(given.whole("from", 0), count)}

    def _play(self, given: Arguments, now: float) -> dict[str, Any]:
        board = self._board
        if given.all.get("live") is True:
            if board.live is None:
                raise Refused("no_session", "nothing is open that could be live")
            board.look_live(now=now)
            return {}
        if board.player is None:
            self._look_back(given, now)
        player = board.player
        assert player is not None  # noqa: S101 - it is there now
        paused = given.truth("paused") if "paused" in given else None
        player.change(now, paused=paused, speed=given.number("speed") if "speed" in given else None)
        if "at" in given:
            board.seek(given.number("at"), now=now)
        elif "step" in given:
            self._step(given, now)
        board.retell(now=now)
        return player.told(now)

    def _look_back(self, given: Arguments, now: float) -> None:
        board = self._board
        if board.live is None:
            raise Refused("no_session", "nothing is open", fix="open a realm, a room or a recording")
        seen = board.remembered
        if not seen:
            raise Refused("unavailable", "nothing has happened yet")
        at = given.number("at", now)
        board.look_back(Remembered("what just happened", seen, notice=board.forgotten), at=at, now=now)

    def _step(self, given: Arguments, now: float) -> None:
        """To the next packet, or the one before, that a filter lets through."""
        board = self._board
        player = board.player
        assert player is not None  # noqa: S101 - who calls looked
        back = given.whole("step") < 0
        text = given.text("filter", "", most=500)
        passes = Filter(text) if text.strip() else None
        t = board.time(now)
        found = player.next_packet(t, passes, back=back)
        if found is None:
            raise Refused("not_found", "there is no further packet")
        player.change(now, paused=True)
        board.seek(found, now=now)


ANSWERS: Final = frozenset({"packet", "peer", "find", "filter", "learn", "kinds", "encode", "check", "play"})
"""What it answers."""


def _meaning(kept: Kept) -> str:
    event = kept.packet().event
    verdict = kept.verdict
    if kept.ours:
        return f"we sent: {describe(event)}"
    told = describe(event)
    return told if verdict == "told" else f"{verdict}: {told}"


def _small(fields: dict[str, Any] | None) -> dict[str, Any] | None:
    if fields is None:
        return None
    return {name: cut(value, _TEXT)[0] if isinstance(value, str) else value for name, value in fields.items()}


def _python(kept: Kept) -> str:
    to = list(kept.to) if kept.private and kept.ours else None
    return call(
        "send_bytes",
        f'bytes.fromhex("{kept.data[:_TEXT].hex()}")',
        to=to,
        reliable=None if kept.reliable else False,
        topic=kept.topic,
    )


def _filter(given: Arguments) -> dict[str, Any]:
    fields = [
        {"name": name, "about": about, "values": None if values is None else list(values)}
        for name, about, values in _FIELDS
    ]
    kinds = sorted(event_name(kind) for kind in EVERY_KIND)
    try:
        Filter(given.text("text", "", most=10_000))
    except InvalidFilter as error:
        return {"ok": False, "text": error.problem, "column": error.column, "fields": fields, "kinds": kinds}
    return {"ok": True, "fields": fields, "kinds": kinds}


def check(text: str, now: float) -> dict[str, Any]:
    """What a target is, without its secrets."""
    nothing: dict[str, Any] = {
        "kind": None,
        "shown": "",
        "room": None,
        "identity": None,
        "expires": None,
        "grants": None,
    }
    try:
        where = parse_target(text.strip())
    except CommsError as error:
        return {**nothing, "error": {"code": "target", "text": str(error)}}
    if not isinstance(where, Adapter):
        return {**nothing, "kind": "realm", "shown": url_without_secrets(where), "error": None}
    told = {**nothing, "kind": where.protocol, "shown": cut(str(where), _TEXT)[0], "error": None}
    if isinstance(where, LiveKitAdapter):
        token = where.token
        told |= {
            "room": cut(token.room, _TEXT)[0],
            "identity": cut(token.identity, _TEXT)[0],
            "expires": token.expires_at,
            "grants": grants_of(token.grants),
        }
        try:
            token.check(unix_now=now)
        except CommsError as error:
            told["error"] = {"code": "target", "text": str(error), "fix": "ask the realm for a new one"}
    return told
