"""The bot: what it can do, registered by decorators, and its life in a room."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from inspect import getdoc
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, NoReturn, TypeAlias, Unpack

from typing_extensions import TypeVar

from dcl_comms_bot.arguments import Arguments, BadArgument
from dcl_comms_bot.tasks import on_trio, sleep, tasks
from dcl_comms_core.errors import ConnectionLost, LocalProtocolError
from dcl_comms_core.events import ChatReceived
from dcl_comms_core.peers import EVERYONE
from dcl_comms_core.tools.arguments import require_number

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from dcl_comms_drivers.connection.waiting import WaitingConnection
    from dcl_comms_drivers.settings import Settings

    from dcl_comms_bot.cooldowns import Cooldown
    from dcl_comms_bot.tasks import OnAsyncio, OnTrio
    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.events import Event
    from dcl_comms_core.peers import PeerId

    Handler: TypeAlias = Callable[..., Coroutine[Any, Any, None]]
    Target: TypeAlias = str | Adapter | Callable[[], str | Adapter | Awaitable[str | Adapter]]

__all__ = ["Bot", "Context"]

S = TypeVar("S", default=Any)
F = TypeVar("F", bound="Handler")
Check: TypeAlias = "Callable[[Context[Any]], bool | str]"

_MOST_AT_WORK: Final = 100
"""Handlers that run at once; further events wait, as unread ones do."""
_LOG: Final = logging.getLogger("dcl_comms.bot")


@dataclass(frozen=True, slots=True)
class _Command:
    name: str
    function: Handler
    arguments: Arguments
    about: str
    cooldown: Cooldown | None
    check: Check | None

    def usage(self, prefix: str) -> str:
        return f"{prefix}{self.name} {self.arguments}".rstrip()


class Context(Generic[S]):
    """Of one command, event or timer.  ``event``: the chat message that the command was in; None: of others."""

    def __init__(self, bot: Bot[S], room: WaitingConnection, event: ChatReceived | None = None) -> None:
        self.bot = bot
        self.room = room
        """The connection, with all its verbs."""
        self.event = event

    @property
    def state(self) -> S:
        """What the bot was made with: it outlives rooms."""
        return self.bot.state

    @property
    def sender(self) -> PeerId:
        """Who used the command.  LocalProtocolError: this is no command, or its sender is not known."""
        if self.event is None or self.event.sender is None:
            msg = "nobody used a command here: look at ctx.event first"
            raise LocalProtocolError(msg)
        return self.event.sender

    def reply(self, text: str, *, private: bool | None = None) -> None:
        """Answer: ``private=None`` as one was asked, privately or in public.

        A text that begins as a command does gets a space before it, so that two bots don't talk for ever.  One that is
        longer than Limits.chat_chars is cut.
        """
        text = f" {text}" if text.startswith(self.bot.prefix) else text
        most = self.room.driver.limits.chat_chars
        asked = self.event is not None and self.event.private
        to = self.sender if (asked if private is None else private) else EVERYONE
        self.room.chat(text if len(text) <= most else f"{text[: most - 1]}…", to=to)

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Wait, on the loop's own clock: virtual under ``run_bot``."""
        return sleep(seconds)


class Bot(Generic[S]):
    """Commands, handlers and timers of one bot, and what it remembers.

    ``prefix``: what a command begins with.  ``state``: anything, for handlers: ``ctx.state``.  ``help``: whether
    ``!help`` is one of its commands.

    Handlers run beside each other, and beside the reading of events.  ``await bot(room)`` lives in a room that is open,
    until that is over, and raises what a handler raised: ``run_bot(bot)`` does.  ``start`` and ``run`` connect, and
    connect again; a handler's error is logged there, and the bot goes on.
    """

    def __init__(self, *, prefix: str = "!", state: S = None, help: bool = True) -> None:  # type: ignore[assignment]  # noqa: A002 - S is Any where there is none
        if not prefix or not isinstance(prefix, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            msg = "a prefix is what commands begin with, such as '!'"
            raise LocalProtocolError(msg)
        self.prefix = prefix
        self.state = state
        self._commands: dict[str, _Command] = {}
        self._handlers: list[tuple[type[Event], Handler]] = []
        self._timers: list[tuple[float, Handler]] = []
        self._on_error: Handler | None = None
        self._logs = False
        self._at_work = 0
        if help:
            self.command(name="help", about="What I can do.")(self._help)

    def command(
        self, *, name: str = "", about: str = "", cooldown: Cooldown | None = None, check: Check | None = None
    ) -> Callable[[F], F]:
        """A command of this function's name, unless it has another: ``@bot.command(cooldown=per_peer(2.0))``.

        What people write is converted to the annotations of its arguments: text, numbers, bool, PeerId, an Enum, a
        Literal, ``X | None``, a class with ``parse(text)`` or one that takes a text; ``*words`` is all that is left, a
        keyword-only argument the rest of the line as it was written.  ``about``: for ``!help``, else the docstring's
        first line.  ``check``: whether the sender may; a text says why not.  LocalProtocolError: there is one already.
        """

        def register(function: F) -> F:
            called = (name or function.__name__).lower()
            if called in self._commands:
                msg = f"there is a command {called!r} already"
                raise LocalProtocolError(msg)
            told = about or (getdoc(function) or "").partition("\n")[0]
            self._commands[called] = _Command(called, function, Arguments(function), told, cooldown, check)
            return function

        return register

    def on(self, kind: type[Event]) -> Callable[[F], F]:
        """A handler of one kind of event, ``async def handler(ctx, event)``; there may be several of a kind."""

        def register(function: F) -> F:
            self._handlers.append((kind, function))
            return function

        return register

    def every(self, seconds: float) -> Callable[[F], F]:
        """A timer, ``async def timer(ctx)``: first after ``seconds`` in the room, then so long after it ended."""
        require_number(seconds, "a timer takes a number of seconds")
        if seconds <= 0.0:
            msg = "a timer takes more than 0 seconds"
            raise LocalProtocolError(msg)

        def register(function: F) -> F:
            self._timers.append((seconds, function))
            return function

        return register

    def on_error(self, function: F) -> F:
        """Who is told of what a handler raised, instead of the log, or of whoever awaits the bot."""
        self._on_error = function
        return function

    async def __call__(self, room: WaitingConnection) -> None:
        """Live in this room until it is over.  Raises what a handler raised, and ConnectionLost."""
        self._at_work = 0
        async with tasks() as group:
            for seconds, function in self._timers:
                group.start(self._tick, Context(self, room), seconds, function)
            try:
                async for event in room:
                    await self._take(room, event, group)
            finally:
                group.cancel()

    async def start(self, target: Target, **settings: Unpack[Settings]) -> None:
        """Connect, live there, and connect again whenever that may help, on whichever loop runs.

        Takes what ``connect.forever`` takes.  Ends when the bot closed its room; ConnectionLost: no other may follow.
        """
        self._logs = True
        connect = import_module(f"dcl_comms_drivers.{'trio' if on_trio() else 'asyncio'}").connect
        async for room in connect.forever(target, **settings):
            await self(room)

    def run(
        self, target: Target, *, backend: Literal["asyncio", "trio"] = "asyncio", **settings: Unpack[Settings]
    ) -> NoReturn:
        """A whole program: ``start`` with the loop, INT and TERM, logging and the exit code of one.

        Logging goes to stderr, unless it was configured before.  The exit code is 1 where the connection was lost for
        good, and 128 and the signal's number after a signal.
        """
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
        run = import_module(f"dcl_comms_drivers.{backend}").run
        try:
            code = run(partial(self.start, target, **settings))
        except ConnectionLost as lost:
            _LOG.error("%s", lost)
            code = 1
        sys.exit(code)

    async def _take(self, room: WaitingConnection, event: Event, group: OnAsyncio | OnTrio) -> None:
        calls = [(Context(self, room), function) for kind, function in self._handlers if isinstance(event, kind)]
        if isinstance(event, ChatReceived) and event.sender is not None and event.text.startswith(self.prefix):
            calls.append((Context(self, room, event), self._obey))
        for ctx, function in calls:
            self._at_work += 1
            group.start(self._work, ctx, partial(function, ctx, event))
        while self._at_work >= _MOST_AT_WORK:
            await sleep(0.01)

    async def _obey(self, ctx: Context[S], event: ChatReceived) -> None:
        name, _, line = event.text[len(self.prefix) :].partition(" ")
        command = self._commands.get(name.lower())
        if command is None:
            return
        allowed = True if command.check is None else command.check(ctx)
        if allowed is not True:
            if allowed:
                ctx.reply(allowed)
            return
        if command.cooldown is not None and (wait := command.cooldown.take(event)) > 0.0:
            ctx.reply(f"wait {wait:.0f} s" if wait >= 1.0 else "not so fast")
            return
        try:
            values, named = command.arguments.read(line)
        except BadArgument as error:
            ctx.reply(f"{error}. {command.usage(self.prefix)}")
            return
        await command.function(ctx, *values, **named)

    async def _work(self, ctx: Context[S], call: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await self._guarded(ctx, call)
        finally:
            self._at_work -= 1

    async def _tick(self, ctx: Context[S], seconds: float, function: Handler) -> None:
        while True:
            await sleep(seconds)
            await self._guarded(ctx, partial(function, ctx))

    async def _guarded(self, ctx: Context[S], call: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await call()
        except ConnectionLost:
            # Who reads the events is told as well, and why.
            if not ctx.room.driver.ended:
                raise
        except Exception as error:
            if self._on_error is not None:
                await self._on_error(ctx, error)
            elif self._logs:
                _LOG.exception("a handler failed")
            else:
                raise

    async def _help(self, ctx: Context[S], command: str | None = None) -> None:
        if command is not None:
            one = self._commands.get(command.removeprefix(self.prefix).lower())
            ctx.reply(f"there is no {command[:40]}" if one is None else f"{one.usage(self.prefix)}: {one.about}")
            return
        ctx.reply(f"I know {', '.join(one.usage(self.prefix) for one in self._commands.values())}")
