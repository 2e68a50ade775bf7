"""What ``chat`` does in a room: the same code on asyncio and on trio."""

from __future__ import annotations

import time
from math import dist
from typing import TYPE_CHECKING, Final

from dcl_comms_bot.tasks import tasks
from dcl_comms_drivers.settings import Subscribe

from dcl_comms_core.errors import CommsError, ConnectionLost, SendQueueFull
from dcl_comms_core.events import PeerJoined, PeerLeft
from dcl_comms_core.limits import Limits
from dcl_comms_core.weather.can import Can
from dcl_comms_station.chatting import orders
from dcl_comms_station.chatting.faces import chat_face
from dcl_comms_station.chatting.keyboard import Reader, input_descriptor
from dcl_comms_station.clean import clean, short
from dcl_comms_station.exits import Exit, Failed
from dcl_comms_station.progress import entered
from dcl_comms_station.rooms import in_rooms, read, unix_time
from dcl_comms_station.visitor import NOBODY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from dcl_comms_bot.tasks import OnAsyncio, OnTrio
    from dcl_comms_drivers.connection.waiting import WaitingConnection

    from dcl_comms_core.events import Event
    from dcl_comms_core.peers import Peer, PeerId
    from dcl_comms_station.chatting.faces import ChatFace
    from dcl_comms_station.loops import Loop
    from dcl_comms_station.visitor import Visitor

__all__ = ["chat"]

_ASKED_AT_ONCE: Final = 32
_LISTED: Final = 50
_NAME: Final = 40


async def chat(
    loop: Loop,
    target: str,
    *,
    colour: str,
    stay: float = 0.0,
    patience: float = 20.0,
    visitor: Visitor = NOBODY,
) -> None:
    """Say what comes in on standard input, and show what happens, until that ends, ``/quit``, or the room is over.

    ``stay``: seconds to go on listening after the end of what comes in.  ``patience``: seconds until the (first) room
    must be open, and until the last words must have gone out.  Failed(NETWORK): they did not.
    """
    settings = visitor.settings(target)
    descriptor = input_descriptor()
    # Words without a name are worth little: rather wait, on a busy server, until it has told others who we are.
    limits = Limits(announce_seconds=patience / 4)
    settings |= {"timeout": patience, "subscribe": Subscribe.NONE, "limits": limits}
    async with entered(loop, target, settings) as room:
        if visitor.scene is not None:
            room.enter_scene(*visitor.scene)
        bell = loop.bell()
        async with tasks() as group:
            names = _Names(room, group)
            with chat_face(descriptor, colour, names) as face, Reader(descriptor, bell.ring) as reader:
                talk = _Talk(loop, room, face, names, patience)
                group.start(talk.listen)
                await talk.obey(reader.take, bell.wait)
                await talk.flush()
                if stay > 0.0 and not talk.quits:
                    await loop.sleep(stay)
                group.cancel()


class _Names:
    """What those in the room are called, once they were asked, or the realm was."""

    def __init__(self, room: WaitingConnection, group: OnAsyncio | OnTrio) -> None:
        self._room = room
        self._group = group
        self._known: dict[PeerId, str] = {}
        self._asked: set[PeerId] = set()

    def __call__(self, who: PeerId) -> str:
        """Its name, as far as is known; else an empty text."""
        peer = self._room.peers.get(who)
        return self._known.get(who) or ("" if peer is None else peer.name)

    def ask(self, who: PeerId) -> None:
        """Find out what it is called, in a while."""
        if who not in self._known and who not in self._asked and len(self._asked) < _ASKED_AT_ONCE:
            self._asked.add(who)
            self._group.start(self._learn, who)

    def forget(self, who: PeerId) -> None:
        """It left."""
        self._known.pop(who, None)

    async def _learn(self, who: PeerId) -> None:
        try:
            person = await self._room.whois(who)
        finally:
            self._asked.discard(who)
        if person.known and who in self._room.peers:
            self._known[who] = person.name


class _Talk:
    """One conversation."""

    def __init__(self, loop: Loop, room: WaitingConnection, face: ChatFace, names: _Names, patience: float) -> None:
        self._loop = loop
        self._room = room
        self._face = face
        self._names = names
        self._patience = patience
        self._is_told = False
        """Whether it was said that nobody hears us."""
        self.quits = False

    # --- what comes from the room

    async def listen(self) -> None:
        """Show what happens, until the room is over; ConnectionLost."""
        await read(self._loop, self._room, self._face.events, self._take)

    def _take(self, event: Event) -> bool:
        match event:
            case PeerJoined():
                self._names.ask(event.sender)
            case PeerLeft():
                self._names.forget(event.sender)
            case _:
                pass
        self._face.events.show(event, unix_time(self._room, event.at))
        return False

    # --- what comes from us

    async def obey(self, take: Callable[[], bytes | None], ring: Callable[[], Awaitable[None]]) -> None:
        """Do what the lines say, until there are no more or one says to leave."""
        while not (self.quits or self._face.ended):
            data = take()
            if data is None:
                await ring()
                continue
            for line in self._face.feed(data):
                await self._do(orders.read_order(line))
                if self.quits:
                    return

    async def _do(self, order: orders.Order) -> None:
        try:
            await self._carry_out(order)
        except ConnectionLost:
            raise
        except CommsError as error:
            self._face.warn(str(error))

    async def _carry_out(self, order: orders.Order) -> None:  # noqa: C901 - one short case for each
        room = self._room
        match order:
            case orders.Say(text):
                await self._send(lambda: room.chat(text))
                self._face.said(text, time.time())
                self._warn_where_nobody_hears()
            case orders.Whisper(word, text):
                await self._whisper(word, text)
            case orders.Emote(name):
                await self._send(lambda: room.emote(name))
            case orders.React(index):
                await self._send(lambda: room.react(index))
            case orders.Who():
                self._list(room.peers.values(), "nobody else is here")
            case orders.Near(metres):
                self._list(room.near(metres), f"nobody is known to be within {metres:g} m")
            case orders.Help():
                for one in orders.HELP:
                    self._face.answer(one)
            case orders.Wrong(why):
                self._face.warn(why)
            case orders.Quit():
                self.quits = True
            case orders.Nothing():
                pass

    async def _whisper(self, word: str, text: str) -> None:
        who = orders.named(word, [(one, self._names(one)) for one in in_rooms(self._room)])
        if isinstance(who, orders.Unknown):
            self._face.warn(who.why)
            return
        await self._send(lambda: self._room.chat(text, to=self._room.peers[who]))
        self._face.said(text, time.time(), to=short(who.text))

    async def _send(self, send: Callable[[], object]) -> None:
        try:
            send()
        except SendQueueFull:
            # A pipe is faster than the room: what was said so far goes first.
            await self.flush()
            send()

    async def flush(self) -> None:
        """Wait until all of it has gone out.  Failed(NETWORK): it did not."""
        flushed = False
        async with self._loop.limit(self._patience):
            await self._room.flush()
            flushed = True
        if not flushed or self._room.stats.send_failed:
            raise Failed(Exit.NETWORK, "the transport did not take all of what was said")

    def _warn_where_nobody_hears(self) -> None:
        ability = self._room.can(Can.CHAT)
        hears = bool(ability) and bool(in_rooms(self._room))
        if not hears and not self._is_told:
            why = "nobody is here" if ability else f"it waits, as {ability.detail}"
            self._face.warn(f"nobody hears us: {why}")
        self._is_told = not hears

    # --- who is there

    def _list(self, peers: Sequence[Peer], nobody: str) -> None:
        if not peers:
            self._face.answer(nobody)
        hearing = set(in_rooms(self._room))
        for peer in peers[:_LISTED]:
            self._names.ask(peer.id)
            self._face.answer(self._described(peer, hears=peer.id in hearing))
        if len(peers) > _LISTED:
            self._face.answer(f"and {len(peers) - _LISTED} more")

    def _described(self, peer: Peer, *, hears: bool) -> str:
        name = clean(self._names(peer.id), limit=_NAME).strip()
        where = ""
        if peer.position is not None:
            at = ", ".join(f"{axis:.1f}" for axis in peer.position)
            where = f"  at ({at}), {dist(peer.position, self._room.me.position):.1f} m away"
        return f"{short(peer.id.text)}{f'  {name}' if name else ''}{where}{'' if hears else '  (does not hear us)'}"
