"""The label of a room in events, which has its session's clock: so that an event's wall-clock time costs nothing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from dcl_comms_core.tools.clock import Clock

if TYPE_CHECKING:
    from datetime import tzinfo

__all__ = ["Label", "Moment", "moment"]

Moment: TypeAlias = datetime
"""A time of the wall clock, in UTC."""

_UTC: Final[tzinfo] = timezone.utc  # noqa: UP017 - the same, and known to every checker
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=_UTC)


class Label(str):
    """A room's label: a text like any other, which has its session's clock.

    A session makes one, and each of its events has it: an event costs no more than with a plain text.
    """

    __slots__ = ("clock",)

    clock: Clock | None

    def __new__(cls, text: str = "", clock: Clock | None = None) -> Self:
        """``clock``: of the session whose room it is."""
        label = super().__new__(cls, text)
        label.clock = clock
        return label

    @classmethod
    def of(cls, text: str, unix_offset: float) -> Self:
        """One that has a clock of its own, which stands.  ``unix_offset``: as of ClockSet."""
        clock = Clock()
        clock.set_unix(unix_offset)
        return cls(text, clock)


def moment(room: str, at: float) -> Moment | None:
    """When that was in this room, in UTC, as its session knows the wall clock now; None: it knows none."""
    clock = room.clock if isinstance(room, Label) else None
    if clock is None or clock.unix_offset is None:
        return None
    try:
        return _EPOCH + timedelta(seconds=at + clock.unix_offset)
    except (OverflowError, ValueError):
        # A time of no calendar: what a test or a replay may have.
        return None
