"""Movement sources that islands come of, as Pulse is one; and an island service that names none by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rigs.core.world import Universe, news

from dcl_comms_core import CloseReason, Reconnected, Reconnecting, Timer, WarningCode
from dcl_comms_core import events as ev
from dcl_comms_core.testing import MemorySource

if TYPE_CHECKING:
    from collections.abc import Callable

    from rigs.core.world import Citizen

    from dcl_comms_core import Place, Realm


class Mute(Universe):
    """Its island service names no island while it is ``mum``."""

    mum = False

    def mint(self, room: str, address: str, ttl: float = 300.0) -> Any:
        return None if self.mum and room.startswith("I") else super().mint(room, address, ttl)


class Pulse(MemorySource):
    """One that an island may come of.

    ``blocked``: it can't reach its service, says so after 5 s and tries again every 8 s.  ``dumb``: nothing comes of it.
    """

    def __init__(
        self, link: int, *, room: str = "pulse", places: bool = True, blocked: bool = False, dumb: bool = False
    ) -> None:
        super().__init__(link, room=room)
        self.places = places
        self.blocked = blocked
        self.dumb = dumb
        self.now = 0.0
        self.due: float | None = None
        self.said = False
        self.told: list[Any] = []
        self.more: list[Any] = []

    def set_position(self, position: tuple[float, float, float], *, now: float | None = None) -> None:
        self.told.append(tuple(position))

    def set_realm(self, name: str | None, *, now: float | None = None) -> None:
        super().set_realm(name, now=now)
        self.told.append(name)

    def open(self, *, now: float | None = None) -> None:
        self.told.append("open")
        self.now = now or 0.0
        if self.dumb:
            return
        if self.blocked:
            self.due = self.now + 5.0
        else:
            super().open(now=now)

    def handle_timeout(self, now: float) -> None:
        self.now = now
        if self.due is None:
            super().handle_timeout(now)
        elif now >= self.due:
            self.due = now + 8.0
            if not self.blocked:
                self.due = None
                super().open(now=now)
            elif not self.said:
                self.said = True
                self.warn(WarningCode.SOURCE_UNREACHABLE)

    def deadline(self) -> float | None:
        return self.due if self.due is not None else super().deadline()

    @property
    def timers(self) -> dict[Timer, float]:
        due = self.deadline()
        return {} if due is None else {Timer.CONNECT: due}

    def events(self) -> list[Any]:
        more, self.more = self.more, []
        return [*super().events(), *more]

    # --- what happens to it

    def warn(self, code: WarningCode) -> None:
        self.more.append(ev.Warning(at=self.now, room=self.room, code=code, text="udp is blocked"))

    def reconnecting(self) -> None:
        self.more.append(Reconnecting(at=self.now, room=self.room, attempt=1, reason=CloseReason.NETWORK))

    def reconnected(self) -> None:
        self.more.append(Reconnected(at=self.now, room=self.room, attempt=1))


class Factory:
    """Makes one of them, or what ``make`` does, and remembers of what."""

    def __init__(self, make: Callable[[int], Any] = Pulse) -> None:
        self.make = make
        self.asked: list[tuple[Realm, int, Place | None]] = []
        self.made: list[Any] = []

    def __call__(self, realm: Realm, link: int, within: Place | None) -> Any:
        self.asked.append((realm, link, within))
        source = self.make(link)
        if source is not None:
            self.made.append(source)
        return source


def assign(citizen: Citizen, island: str) -> None:
    """The island service passes an island on, as Pulse formed it."""
    here = citizen.universe
    news(citizen, island, Universe.mint(here, island, citizen.name))
