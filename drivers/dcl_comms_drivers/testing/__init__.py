"""run_bot: an async bot against scripted peers in a memory room, on a clock that jumps when everybody waits.

::

    async def bot(room: Connection) -> None:
        async for event in room:
            if isinstance(event, ChatReceived) and event.text.startswith("!"):
                room.chat(f"you said {event.text[1:80]}")

    transcript = run_bot(bot, seed=1, script=[Join(0.0, "alice"), Say(5.0, "alice", "!hello")])
    assert [text for _, text in transcript.chats] == ["you said hello"]

Nothing sleeps: a minute of the room takes as long as what happens in it.  The same seed and script give the same
transcript, on asyncio and on trio, as long as the bot itself is of one task and asks nothing else for chance or time:
``time.monotonic()`` and ``time.time()`` stand still while the clock jumps, and a ClockWarning says who asks them.

Peers answer by a script (``OnChat``, ``On``), or are programs too: ``run_bot(bot, peers={"bob": bob})``.  A bot with
tasks ends like one without, and what a TaskGroup or a nursery makes of its end is unwrapped.
A bot that waits for a thread, a process or a socket can't be run so: the clock would jump past it.
"""

from __future__ import annotations

from dcl_comms_drivers.testing.clocks import ClockWarning
from dcl_comms_drivers.testing.play import Ending, Entry, Play, StageHost, Transcript
from dcl_comms_drivers.testing.run import run_bot

__all__ = ["ClockWarning", "Ending", "Entry", "Play", "StageHost", "Transcript", "run_bot"]
