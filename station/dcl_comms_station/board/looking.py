"""What a page looks at: it says hello, what is on it, and when nobody sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from dcl_comms_core.errors import InvalidFilter
from dcl_comms_station.board.asked import Arguments, Refused, error_of
from dcl_comms_station.board.messages import PROTOCOL, Closing
from dcl_comms_station.board.texts import js
from dcl_comms_station.board.views import View, read_view

if TYPE_CHECKING:
    from dcl_comms_station.board.limits import StationLimits
    from dcl_comms_station.board.page import Page
    from dcl_comms_station.board.store.stage import Stage
    from dcl_comms_station.board.windows import Searches

__all__ = ["Looking"]


class Seen(Protocol):
    """What of the Board pages look at."""

    limits: StationLimits
    welcome: dict[str, Any]

    @property
    def stage(self) -> Stage:
        """What pages see."""
        ...

    @property
    def searches(self) -> Searches:
        """The filters in use."""
        ...

    def snapshot(self) -> list[str]:
        """Events that, applied to an empty page, give what is now."""
        ...

    def keep_searches(self) -> None:
        """Forget the filters that no page uses any more."""
        ...


class Looking:
    """It does it, and gives the answer."""

    def __init__(self, board: Seen) -> None:
        self._board = board

    def hello(self, page: Page, given: Arguments) -> dict[str, Any]:
        """It says what it speaks, and is told what there is."""
        if given.whole("protocol", 0) != PROTOCOL:
            page.closing = Closing.RELOAD
            raise Refused("reload", "this page is of another version", fix="reload")
        page.look(View())
        page.good = {}
        if "view" in given:
            self.view(page, Arguments(given.object("view")))
        page.ready, page.paused = True, False
        page.begin(self._board.snapshot())
        return {
            "protocol": PROTOCOL,
            "read_only": page.read_only,
            "limits": self._board.limits.told(),
            "page_bytes": self._board.limits.page_bytes,
            "seq": 0,
            **self._board.welcome,
        }

    def view(self, page: Page, given: Arguments) -> dict[str, Any]:
        """It looks at something else."""
        before = page.view
        view = read_view(given.all, self._board.limits.rows)
        page.look(view)
        errors: dict[str, Any] = {}
        for name in ("filter", "highlight"):
            text = getattr(view.packets, name)
            try:
                self._board.searches.filter(text)
                page.good[name] = text
            except InvalidFilter as error:
                errors["packets" if name == "filter" else name] = error_of(error)
        self._board.keep_searches()
        # Other rows are wanted at once.
        if view.packets != before.packets:
            page.due.pop("rows", None)
        if view.peers != before.peers:
            page.due.pop("peers", None)
        if view.chat.before is not None and view.chat.before != before.chat.before:
            lines, more = self._board.stage.talk.before(view.chat.before, 100)
            self._tell_history(page, [line.told() for line in lines], more=more)
        if view.time and not before.time:
            page.timed = None
        return {"errors": errors}

    def _tell_history(self, page: Page, lines: list[dict[str, Any]], *, more: bool) -> None:
        """In pieces that frames have room for."""
        piece: list[dict[str, Any]] = []
        for at, line in enumerate(lines):
            piece.append(line)
            if len(js(piece)) > 24_000 or at == len(lines) - 1:  # noqa: PLR2004 - with one more it is within a frame
                page.tell(js({"k": "history", "chats": piece, "more": more}))
                piece = []
        if not lines:
            page.tell(js({"k": "history", "chats": [], "more": False}))

    def pause(self, page: Page, _: Arguments) -> dict[str, Any]:
        """It is hidden: it is told nothing."""
        page.paused = True
        page.begin(())
        return {}

    def resume(self, page: Page, _: Arguments) -> dict[str, Any]:
        """It is seen again."""
        page.paused = False
        page.begin(self._board.snapshot())
        return {}
