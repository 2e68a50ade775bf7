"""Other readers of a connection beside its loop over events: who waits for one event, who listens to some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.readers.table import Readers
from dcl_comms_drivers.settings import OnFull, choice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType

    from dcl_comms_core.peers import Who
    from dcl_comms_core.readers.wanted import Heard, Want
    from dcl_comms_drivers.connection.driver import Driver
    from dcl_comms_drivers.loops.host import WaitingHost

__all__ = ["Listener", "ListenerBatches", "Listening"]

E = TypeVar("E")


class Listening:
    """The readers of one connection, in its turns.  Whoever uses none pays nothing."""

    def __init__(self, driver: Driver, loop: WaitingHost, on_full: OnFull) -> None:
        self.driver = driver
        self.loop = loop
        self.readers = Readers(driver.limits)
        self._on_full = on_full

    def wait_for(
        self,
        kind: object,
        where: Callable[[Any], object] | None,
        *,
        sender: Who | None,
        timeout: float | None,
    ) -> Coroutine[Any, Any, Any]:
        """See ``WaitingConnection.wait_for``."""
        now, signal = self._begin(), self.loop.signal()
        want: Want[Any] = self.readers.wait_for(
            kind, where, sender=sender, timeout=timeout, now=now, wake=signal.notify
        )
        if timeout is not None:
            self.driver.after()  # the connection's timer is the earliest of all times
        return _wait(_Place(self, want), want, signal.wait)

    def listen(
        self,
        kind: object,
        where: Callable[[Any], object] | None,
        *,
        sender: Who | None,
        on_full: OnFull | str | None,
    ) -> Listener[Any]:
        """See ``WaitingConnection.listen``."""
        closes = (self._on_full if on_full is None else choice(OnFull, on_full)) is OnFull.CLOSE
        now, signal = self._begin(), self.loop.signal()
        heard: Heard[Any] = self.readers.listen(kind, where, sender=sender, closes=closes, now=now, wake=signal.notify)
        return Listener(_Place(self, heard), heard, signal.wait, signal.notify)

    def wake(self) -> None:
        """Have all of them look: nothing more will come."""
        self.readers.wake()

    def _begin(self) -> float:
        _, now = self.driver.begin()
        self.driver.chores.add(self.readers)
        self.driver.inbox.others_read = True
        return now


class _Place:
    """A reader's place among the others, which it leaves when nobody holds it any more."""

    def __init__(self, listening: Listening, reader: Want[Any] | Heard[Any]) -> None:
        self.driver = listening.driver
        self.loop = listening.loop
        self._readers = listening.readers
        self._reader = reader

    def leave(self) -> None:
        """Want nothing more."""
        self._readers.leave(self._reader)

    def __del__(self) -> None:
        self._readers.leave(self._reader)


async def _wait(place: _Place, want: Want[E], something: Callable[[], Awaitable[None]]) -> E:
    driver = place.driver
    try:
        if want.over or driver.ended:
            await place.loop.checkpoint()
        while not want.over and not driver.ended:
            await something()
    finally:
        place.leave()
    if want.event is not None:
        return want.event
    if want.failure is not None:
        raise want.failure
    if want.expired:
        msg = "what was waited for did not come in time"
        raise TimeoutError(msg)
    driver.check()
    raise AssertionError  # pragma: no cover - a connection that is over says so


class Listener(Generic[E]):
    """Some of a connection's events: ``async with room.listen(ChatReceived) as chats: async for chat in chats: ...``.

    It hears from ``listen`` on, to the end of the block, beside the loop over the connection and beside others.  Its
    loop ends when the block or the room was left, and raises ConnectionLost when somebody else closed the room,
    ListenerOverflow when it was to end rather than miss something, or what ``where`` raised.  Cancelling a wait loses
    no event.  Two tasks may not read at once.
    """

    def __init__(
        self,
        place: _Place,
        heard: Heard[E],
        something: Callable[[], Awaitable[None]],
        notify: Callable[[], None],
    ) -> None:
        self._place = place
        self._heard = heard
        self._something = something
        self._notify = notify
        self._reading = False
        self._closed = False

    @property
    def dropped(self) -> int:
        """Events that went because they were not read in time."""
        return self._heard.dropped

    def __len__(self) -> int:
        """How many are unread."""
        return len(self._heard)

    def __bool__(self) -> bool:
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hear nothing more, and let go of what is unread.  May be repeated."""
        self._closed = True
        self._place.leave()
        self._heard.take()
        self._notify()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        if not len(self._heard):
            await self._readable()
        else:
            self._check_reader()
            await self._place.loop.checkpoint()
        try:
            return self._heard.popleft()
        except IndexError:
            raise StopAsyncIteration from None

    def batches(self) -> ListenerBatches[E]:
        """All events that are there, as lists."""
        return ListenerBatches(self._take)

    async def _take(self) -> list[E]:
        await self._readable()
        return self._heard.take()

    def _check_reader(self) -> None:
        if self._reading:
            msg = "another task is reading this listener's events: let each task listen for itself"
            raise LocalProtocolError(msg)

    async def _readable(self) -> None:
        """Wait until there is an event, or nothing more will come; then raise what ended it, if that was an error."""
        self._check_reader()
        heard, driver = self._heard, self._place.driver
        self._reading = True
        try:
            if len(heard) or heard.over or driver.ended:
                await self._place.loop.checkpoint()
            while not (len(heard) or heard.over or driver.ended):
                await self._something()
        finally:
            self._reading = False
        failure = heard.failure or driver.failure
        if not len(heard) and not self._closed and failure is not None:
            raise failure


class ListenerBatches(Generic[E]):
    """Events as they come, all that are there at once: ``async for batch in listener.batches()``."""

    def __init__(self, take: Callable[[], Awaitable[list[E]]]) -> None:
        self._take = take

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[E]:
        batch = await self._take()
        if not batch:
            raise StopAsyncIteration
        return batch
