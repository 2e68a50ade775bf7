"""A lively bot: it walks about, greets who comes, plays emotes, and answers commands; other bots it does not hear."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dcl_comms_bot import Bot, Context, per_peer

from dcl_comms_core.avatars.emotes import Emotes
from dcl_comms_core.events import PeerJoined
from dcl_comms_core.peers import Arrival
from dcl_comms_core.walking.pace import Pace
from dcl_comms_station.rooms import in_rooms

if TYPE_CHECKING:
    import random

    from dcl_comms_core.events import ChatReceived
    from dcl_comms_core.peers import PeerId

__all__ = ["Company", "lively_bot"]

_REMEMBERED: Final = 1_000
_GESTURES: Final = (Emotes.WAVE, Emotes.DANCE, Emotes.CLAP, Emotes.SHRUG, Emotes.ROBOT)
_REACH: Final = 12.0
"""Metres from home."""
_SECONDS: Final = (5.0, 9.0)
"""Between two walks."""
_GREETING_TRIES: Final = 20
"""Seconds at most until who is greeted hears it."""
_COOLDOWN: Final = 1.0


@dataclass(slots=True)
class Company:
    """What the bots of one realm share: who they are, and what one of them has seen to."""

    bots: set[PeerId] = field(default_factory=set["PeerId"])
    _done: OrderedDict[object, None] = field(default_factory=OrderedDict[object, None])

    def claims(self, what: object) -> bool:
        """Whether nobody has seen to it yet; from then on somebody has."""
        if what in self._done:
            return False
        self._done[what] = None
        if len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)
        return True


def lively_bot(name: str, home: tuple[float, float], company: Company, chance: random.Random) -> Bot[None]:  # noqa: C901 - one short function for each thing it does
    """A bot of this name that stays around ``home``, metres east and north.

    What is asked in public one bot of the company answers; what one is asked in private, that one does.
    """
    bot = Bot(help=False)

    def is_asked(ctx: Context[None]) -> bool:
        return ctx.sender not in company.bots

    def is_mine(ctx: Context[None]) -> bool:
        event = ctx.event
        return is_asked(ctx) and event is not None and (event.private or company.claims(_which(event)))

    @bot.command(cooldown=per_peer(_COOLDOWN), check=is_mine)
    async def ping(ctx: Context[None]) -> None:
        """Say pong."""
        ctx.reply(f"pong, says {name}")

    @bot.command(check=is_mine, cooldown=per_peer(_COOLDOWN))
    async def where(ctx: Context[None]) -> None:
        """Tell where I am."""
        x, _, z = ctx.room.me.position
        ctx.reply(f"{name} is at {x:.0f}, {z:.0f}")

    @bot.command(check=is_mine, cooldown=per_peer(_COOLDOWN))
    async def come(ctx: Context[None]) -> None:
        """Come to you."""
        await ctx.room.walk_to(ctx.sender, stop=2.0)
        ctx.room.face(ctx.sender)

    @bot.command(check=is_asked, cooldown=per_peer(_COOLDOWN))
    async def dance(ctx: Context[None]) -> None:
        """Dance, all of us."""
        ctx.room.stand()
        ctx.room.emote(Emotes.DANCE)

    @bot.command(name="help", check=is_mine, cooldown=per_peer(_COOLDOWN))
    async def tell(ctx: Context[None]) -> None:
        """Tell what we can do."""
        ctx.reply("we know !ping, !where, !come, !dance and !help")

    @bot.on(PeerJoined)
    async def greet(ctx: Context[None], event: PeerJoined) -> None:
        who = event.sender
        if event.arrival is not Arrival.NEW or who in company.bots or not company.claims(who):
            return
        # Pulse tells of somebody before the room has them, and then nobody tells when it has.
        for _ in range(_GREETING_TRIES):
            await ctx.sleep(1.0)
            if who in in_rooms(ctx.room):
                break
        else:
            return
        ctx.room.face(who)
        ctx.room.emote(Emotes.WAVE)
        ctx.room.chat(f"hello {who.short}, I am {name}; try !help")

    @bot.every(chance.uniform(*_SECONDS))
    async def live(ctx: Context[None]) -> None:
        if chance.random() < 1 / 4:
            ctx.room.stand()
            ctx.room.emote(chance.choice(_GESTURES))
            return
        east, north = (axis + chance.uniform(-_REACH, _REACH) for axis in home)
        ctx.room.walk_to((east, 0.0, north), pace=chance.choice((Pace.WALK, Pace.JOG)))

    return bot


def _which(event: ChatReceived) -> object:
    """What tells one message from another, whoever reads it."""
    return event.sender, event.timestamp, event.text
