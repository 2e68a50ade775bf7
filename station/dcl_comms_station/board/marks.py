"""What pages marked: moments and packets, each with a note."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dcl_comms_station.board.asked import Refused

if TYPE_CHECKING:
    from dcl_comms_station.board.asked import Arguments
    from dcl_comms_station.board.store.packets import Packets

__all__ = ["Marks"]

_NOTE: Final = 500
_PIECE: Final = 50
"""In one event: as many as a frame has room for, whatever their notes are."""


class Marks:
    """At most ``most`` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._marks: dict[int, dict[str, Any]] = {}
        self._next = 1

    def clear(self) -> None:
        """Forget them: something else is looked at."""
        self._marks.clear()

    def change(self, given: Arguments, packets: Packets, t: float) -> dict[str, Any]:
        """Add one, or take one away, as ``mark`` says; its answer.  Refused: it can't be."""
        if "remove" in given:
            gone = self._marks.pop(given.whole("remove"), None)
            if gone is None:
                raise Refused("not_found", "there is no such mark", field="remove")
            packets.marked.pop(gone["packet"] or 0, None)
            return {}
        if len(self._marks) >= self._most:
            raise Refused("limit", f"there are {self._most} marks already")
        packet = given.whole("n") if "n" in given else None
        kept = None if packet is None else packets.get(packet)
        if packet is not None and kept is None:
            raise Refused("not_found", "this packet is not kept any more", field="n")
        at = kept.t if kept is not None else given.number("t", t)
        text = given.text("text", "", most=_NOTE)
        number, self._next = self._next, self._next + 1
        self._marks[number] = {"n": number, "t": round(at, 3), "packet": packet, "text": text}
        if packet is not None:
            packets.marked[packet] = text
        return {"n": number}

    def told(self) -> list[dict[str, Any]]:
        """As events, in pieces that frames have room for."""
        marks = list(self._marks.values())
        pieces = [marks[at : at + _PIECE] for at in range(0, len(marks), _PIECE)] or [[]]
        return [{"k": "marks", "marks": piece, "at": _PIECE * at} for at, piece in enumerate(pieces)]
