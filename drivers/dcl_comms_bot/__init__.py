"""A small frame for bots: commands with typed arguments and help, cooldowns, checks, timers, handlers of events.

::

    bot = Bot()

    @bot.command(cooldown=per_peer(2.0))
    async def roll(ctx: Context, sides: int = 6) -> None:
        "Throw a die."
        ctx.reply(str(random.randint(1, sides)))

    bot.run("https://realm-provider.decentraland.org/main", wallet=DisposableWallet())

The same bot runs on asyncio and trio, and under ``run_bot(bot)`` in a test, timers too.
"""

from __future__ import annotations

from dcl_comms_bot.arguments import BadArgument
from dcl_comms_bot.bot import Bot, Context
from dcl_comms_bot.cooldowns import Cooldown, per_command, per_peer

__all__ = ["BadArgument", "Bot", "Context", "Cooldown", "per_command", "per_peer"]
