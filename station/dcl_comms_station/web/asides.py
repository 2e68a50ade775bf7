"""What takes a while and is no verb: lists of realms and recordings, the doctor, a report.  Each in a thread."""

from __future__ import annotations

import asyncio
import json
import platform
import threading
import urllib.request
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from dcl_comms_core.errors import CommsError, InvalidFilter
from dcl_comms_station.board.asked import BadRequest, Refused, listed
from dcl_comms_station.board.texts import cut
from dcl_comms_station.clean import clean
from dcl_comms_station.loops import get_loop
from dcl_comms_station.terminal import complain
from dcl_comms_station.web.links import FORMS, Exports
from dcl_comms_station.web.taping import Taping
from dcl_comms_station.web.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_station.board.messages import Request
    from dcl_comms_station.visitor import Visitor
    from dcl_comms_station.web.station import Station
    from dcl_comms_station.web.taping import Folder

__all__ = ["Asides"]

Made = TypeVar("Made")

_PROVIDER: Final = "https://realm-provider.decentraland.org/realms"
_SECONDS: Final = 10.0
_BYTES: Final = 1_000_000
_REALMS: Final = 200
_TEXT: Final = 300
_FINDINGS: Final = 50
_LEVELS: Final = {"ok": "ok", "warning": "warning", "failed": "error", "skipped": "info"}


class Asides:
    """It answers requests of the Station, one of a kind at a time.  ``open_now``: the target, and who we are there."""

    def __init__(self, station: Station, open_now: Callable[[], tuple[str, Visitor] | None], folder: Folder) -> None:
        self._station = station
        self._open_now = open_now
        self._folder = folder
        self._uploads = Uploads(station.limits)
        self._exports = Exports(station.limits)
        self._busy: set[str] = set()

    def close(self) -> None:
        """Remove what was uploaded, and what was made to be downloaded."""
        self._uploads.close()
        self._exports.close()

    def ask(self, request: Request) -> None:
        """Answer it, at once or later.  Refused: it can't be done."""
        match request.do:
            case "realms":
                self._aside(request, _realms)
            case "doctor":
                self._aside(request, self._doctor)
            case "report":
                self._station.answer(request, {"text": self._report()})
            case "recordings":
                self._aside(request, lambda: {"recordings": self._folder.list()})
            case "record":
                self._record(request)
            case "export":
                self._export(request)
            case "upload":
                number = self._uploads.begin(request.page, request.arguments.whole("size"))
                self._station.answer(request, {"upload": number})
            case "piece":
                self._uploads.piece(request.page, request.arguments.all["piece"])
            case "uploaded":
                path = self._uploads.end(request.page, request.arguments.whole("upload"))
                self._station.answer(request, {"recording": self._folder.add(path)})
            case _:
                raise Refused("unavailable", f"{request.do} can't be done by this Station")

    def _export(self, request: Request) -> None:
        given = request.arguments
        form = given.text("as", "mcap", most=20)
        if form != "mcap" and form not in FORMS:
            raise BadRequest("as", f"as is one of mcap, {', '.join(FORMS)}")
        path = self._folder.find(given.whole("recording"))
        links = self._station.links
        if form == "mcap":
            self._station.answer(request, {"url": links.make(path, path.name), "name": path.name})
            return
        shown = given.text("filter") if "filter" in given else None
        redact = given.truth("redact", default=False)
        name = f"{path.name.removesuffix('.part').removesuffix('.mcap')}.{form}"
        self._check_free(request)
        out = self._exports.new(form)

        def told(notice: str) -> dict[str, Any]:
            return {"url": links.make(out, name, is_ours=True), "name": name, "notice": notice or None}

        self._run(request, lambda: self._exports.write(path, out, shown=shown, redact=redact), told)

    def _record(self, request: Request) -> None:
        given = request.arguments
        if not given.truth("on"):
            self._check_free(request)
            taping = self._station.stop_taping()
            self._run(request, taping.finish, lambda told: told | {"recording": self._folder.add(taping.path)})
            return
        self._station.answer(request, {"name": self._begin(given.text("name") if "name" in given else None)})

    def record(self) -> None:
        """Record from the beginning, as the command was told."""
        try:
            complain(f"recording into {self._begin(None)}")
        except Refused as refused:
            complain(f"it is not recorded: {refused.text}")

    def _begin(self, name: str | None) -> str:
        """Begin to record; the file's name.  Refused: it can't be."""
        path = self._folder.new(name)
        taping = Taping(path, self._station.board.source.target)
        try:
            self._station.tape(taping)
        except Refused:
            taping.finish()
            path.unlink(missing_ok=True)
            raise
        return path.name

    def _aside(self, request: Request, work: Callable[[], dict[str, Any]]) -> None:
        self._check_free(request)
        self._run(request, work, lambda answer: answer)

    def _check_free(self, request: Request) -> None:
        if request.do in self._busy:
            raise Refused("busy", "that is being done already")

    def _run(self, request: Request, work: Callable[[], Made], told: Callable[[Made], dict[str, Any]]) -> None:
        """``work`` in a thread; ``told``, on the Station's loop: the answer that it makes."""
        self._busy.add(request.do)

        def run() -> None:
            try:
                made = work()
            except (Refused, InvalidFilter) as error:
                refuse(error)
            except CommsError as error:
                refuse(Refused("failed", clean(str(error), limit=_TEXT)))
            else:
                self._station.soon(lambda: self._done(request, lambda: self._station.answer(request, told(made))))

        def refuse(error: Refused | InvalidFilter) -> None:
            self._station.soon(lambda: self._done(request, lambda: self._station.refuse(request, error)))

        threading.Thread(target=run, name=f"dcl-comms {request.do}", daemon=True).start()

    def _done(self, request: Request, say: Callable[[], None]) -> None:
        self._busy.discard(request.do)
        say()
        self._station.turn()

    def _doctor(self) -> dict[str, Any]:
        from dcl_comms_station.doctor.examine import examine  # noqa: PLC0415 - on a click only

        open_now = self._open_now()
        if open_now is None:
            raise Refused("no_session", "nothing is open that could be examined")
        target, visitor = open_now
        found = asyncio.run(examine(get_loop("asyncio"), target, lambda _: None, seconds=_SECONDS, visitor=visitor))
        findings = [
            {
                "level": _LEVELS[one.status.value],
                "title": one.stage,
                "text": cut(clean(one.detail), _TEXT)[0],
                "fix": cut(clean(one.fix), _TEXT)[0] or None,
                "seconds": one.seconds,
            }
            for one in found[:_FINDINGS]
        ]
        return {"findings": findings}

    def _report(self) -> str:
        board = self._station.board
        state, stats = board.state(), board.stage.stats(board.time(self._station.now()))
        shown = {
            "dcl-comms": version("dcl-comms"),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "state": {name: state[name] for name in ("state", "source", "stages", "rooms", "island", "error", "can")},
            "stats": {name: value for name, value in stats.items() if name not in {"k", "token"}},
        }
        return json.dumps(shown, indent=1)


def _realms() -> dict[str, Any]:
    request = urllib.request.Request(_PROVIDER, headers={"accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            document: object = json.loads(answer.read(_BYTES))
    except (OSError, ValueError) as error:
        raise Refused("fetch", f"the realm provider: {clean(str(error), limit=_TEXT)}", fix="try again") from None
    rows = listed(document) or []
    realms = [cast("dict[str, Any]", row) for row in rows[:_REALMS] if isinstance(row, dict)]
    return {"realms": [_realm(row) for row in realms]}


def _realm(row: dict[str, Any]) -> dict[str, Any]:
    def text(*names: str) -> str:
        value = next((row[name] for name in names if isinstance(row.get(name), str)), "")
        return cut(str(value), _TEXT)[0]

    users = row.get("usersCount", row.get("players"))
    healthy = row.get("healthy")
    return {
        "name": text("serverName", "name"),
        "url": text("url", "baseUrl"),
        "players": users if isinstance(users, int) and not isinstance(users, bool) else None,
        "adapter": text("adapter", "protocol") or None,
        "healthy": healthy if isinstance(healthy, bool) else None,
    }
