"""Logs chat to sqlite, counts strikes (banned words, shouting, repeats, floods, garbage), warns, then ignores."""

from __future__ import annotations

import sqlite3
import sys
from collections import Counter, defaultdict, deque

from dcl_comms_bot import Bot, Context
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import ChatReceived, LimitReached, PacketRejected, PeerId

BAD = {"scam", "airdrop"}


class Book:
    def __init__(self, path: str) -> None:
        self.log = sqlite3.connect(path, isolation_level=None)
        self.log.execute("create table if not exists log(at text, who text, why text, said text)")
        self.strikes: Counter[PeerId] = Counter()
        self.recent: defaultdict[PeerId, deque[str]] = defaultdict(lambda: deque(maxlen=5))


bot = Bot(state=Book(":memory:"), help=False)


@bot.on(ChatReceived)
@bot.on(LimitReached)
@bot.on(PacketRejected)
async def judge(ctx: Context[Book], event: ChatReceived | LimitReached | PacketRejected) -> None:
    if (who := event.sender) is None:
        return
    book, said, weight, why = ctx.state, "", 3, "flood"
    if isinstance(event, PacketRejected):
        weight, why = 1, "garbage"
    elif isinstance(event, ChatReceived):
        book.recent[who].append(said := event.text)
        banned, shouts = BAD & set(said.lower().split()), len(said) > 12 and said.isupper()
        repeats = book.recent[who].count(said) > 2
        weight, why = (2, "banned word") if banned else (1, "shouting") if shouts else (int(repeats), "repeats")
    book.log.execute("insert into log values(?,?,?,?)", (str(event.time), str(who), why if weight else "", said))
    book.strikes[who] += weight
    if book.strikes[who] >= 3:
        ctx.room.chat("you are ignored for a minute", to=who, else_everybody=True)
        ctx.room.ignore(who, seconds=60.0)
        del book.strikes[who]
    elif weight:
        ctx.room.chat(f"please: {why}", to=who, else_everybody=True)


if __name__ == "__main__":
    bot.state = Book(sys.argv[2])
    bot.run(sys.argv[1], wallet=DisposableWallet(), subscribe="none")
