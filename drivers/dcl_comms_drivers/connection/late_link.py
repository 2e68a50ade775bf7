"""A link that can't be made yet, because what it needs is still being loaded in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dcl_comms_drivers.connection.ahead import Ahead

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command
    from dcl_comms_drivers.connection.ahead import Step
    from dcl_comms_drivers.loops.host import ConnectionLink, Receiver

__all__ = ["LateLink"]


class LateLink:
    """Keeps what it is to do until the steps are taken, then makes the link that does it.

    ``wake`` is called from a thread.  What ``make`` raises comes out of ``drain``.
    """

    name: ClassVar[str] = "late"

    def __init__(self, steps: tuple[Step, ...], wake: Callable[[], None], make: Callable[[], ConnectionLink]) -> None:
        self.link: ConnectionLink | None = None
        """The link, once it is there."""
        self._make = make
        self._waiting: list[Command] = []
        self._abandoned = False
        self._ahead = Ahead(steps, wake)

    def execute(self, command: Command, *, now: float) -> None:
        """Carry a command out, maybe later."""
        if self.link is None:
            self._waiting.append(command)
        else:
            self.link.execute(command, now=now)

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        """Deliver up to ``limit`` inputs.  True: more are waiting."""
        if self.link is None and self._ahead.over and not self._abandoned:
            self.link = self._make()
            for command in self._waiting:
                self.link.execute(command, now=now)
            self._waiting.clear()
        return self.link is not None and self.link.drain(session, now=now, limit=limit)

    def deadline(self) -> float | None:
        """When ``drain`` must be called although nothing woke us; None: not needed."""
        return None if self.link is None else self.link.deadline()

    def measure(self, then: Callable[[float | None], None]) -> None:
        """Ask how many seconds it is to the server and back; None: not known."""
        if self.link is None:
            then(None)
        else:
            self.link.measure(then)

    def hasten(self) -> None:
        """Have the server acknowledge soon what it has."""
        if self.link is not None:
            self.link.hasten()

    def abandon(self) -> None:
        """Let go of everything now; a link that is not there yet will not be made."""
        self._abandoned = True
        self._waiting.clear()
        if self.link is not None:
            self.link.abandon()
