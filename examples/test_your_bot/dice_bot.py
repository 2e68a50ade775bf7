"""A bot that rolls dice: whoever writes "!roll 2d6" is told a sum; "!rolls" tells how often each player rolled.

``DiceBot(careful=False)`` has the bug that test_dice_bot.py finds.
"""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from dcl_comms_core import ChatReceived, ConnectionLost, PeerId, PeerLeft

if TYPE_CHECKING:
    from dcl_comms_drivers.asyncio import Connection

ROLL = re.compile(r"!roll (\d{1,3})d(\d{1,6})\Z", re.ASCII)


class DiceBot:
    def __init__(self, *, seed: int = 0, careful: bool = True) -> None:
        self.dice = Random(seed)
        self.rolls: Counter[PeerId] = Counter()
        self.careful = careful

    async def run(self, room: Connection) -> None:
        async for event in room:
            match event:
                case ChatReceived(sender=PeerId() as who, text=text):
                    answer = self.answer(who, text)
                    if answer is not None:
                        self.say(room, answer)
                case PeerLeft(sender=who):
                    self.rolls.pop(who, None)
                case _:
                    pass

    def answer(self, who: PeerId, text: str) -> str | None:
        if text == "!rolls":
            # The best of them: a text has its limits, and who comes and rolls has none.
            return ", ".join(f"{peer}: {count}" for peer, count in self.rolls.most_common(10)) or "nobody rolled yet"
        found = ROLL.match(text)
        if found is None:
            return None
        count, sides = int(found[1]), int(found[2])
        # The bug: "!roll 1d0" ends the bot, and anybody in the room may write it.
        if self.careful and sides == 0:
            return "such dice have no sides"
        self.rolls[who] += 1
        return str(sum(self.dice.randint(1, sides) for _ in range(count)))

    @staticmethod
    def say(room: Connection, text: str) -> None:
        try:
            room.chat(text)  # to everybody: in a ws-room nobody can whisper
        except ConnectionLost:
            return  # the room is over: the loop over its events says so
