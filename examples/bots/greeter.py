"""Says hello to whoever comes, and rolls dice on "!roll 2d6", once a second for each of them at most."""

from __future__ import annotations

import random
import sys

from dcl_comms_bot import Bot, Context, per_peer
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import Arrival, PeerJoined

bot = Bot()


class Dice:
    def __init__(self, text: str) -> None:
        self.count, self.sides = map(int, text.split("d"))
        if not (0 < self.count < 100 and 0 < self.sides < 10_000):
            raise ValueError


@bot.on(PeerJoined)
async def greet(ctx: Context, event: PeerJoined) -> None:
    if event.arrival is Arrival.NEW:
        ctx.room.chat(f"welcome, {event.sender.short}! try !roll 2d6")


@bot.command(about="Roll dice.", cooldown=per_peer(1.0))
async def roll(ctx: Context, dice: Dice) -> None:
    thrown = [random.randint(1, dice.sides) for _ in range(dice.count)]
    ctx.reply(f"{ctx.sender.short} rolled {thrown} = {sum(thrown)}")


if __name__ == "__main__":
    bot.run(sys.argv[1], wallet=DisposableWallet(), position=(8.0, 0.0, 8.0), subscribe="none")
