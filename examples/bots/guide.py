"""Walks to whoever says "come here", faces them and waves; anybody may say "stop" or "go home".  On trio."""

from __future__ import annotations

import sys

from dcl_comms_bot import Bot, Context
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import ChatReceived, Vector3, WalkEnd

HOME = Vector3(8.0, 0.0, 8.0)
bot = Bot()


@bot.on(ChatReceived)
async def listen(ctx: Context, event: ChatReceived) -> None:
    room, who = ctx.room, event.sender
    match event.text.strip().lower():
        case "come here" if who is not None:
            end = await room.walk_to(who, stop=2.0)
            if end is WalkEnd.ARRIVED:
                room.face(who)
                room.emote("wave")
                room.chat("here I am", to=who, else_everybody=True)
            elif end is WalkEnd.UNSEEN:
                room.chat("I can't see you", to=who, else_everybody=True)
        case "go home":
            await room.walk_to(HOME)
        case "stop":
            room.stand()
        case _:
            pass


if __name__ == "__main__":
    bot.run(sys.argv[1], backend="trio", wallet=DisposableWallet(), position=HOME, subscribe="none")
