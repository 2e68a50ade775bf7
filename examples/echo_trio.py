"""An echo bot on trio: it says whatever it reads once more; in private, what came in private.

    python examples/echo_trio.py "livekit:wss://comms.example.com?access_token=..."

Without an argument the target comes from DCL_COMMS_TARGET, where no other user of the machine sees the token.
Ctrl-C leaves the room.  Beside the imports and trio.run this is the same program as echo_asyncio.py.
"""

from __future__ import annotations

import os
import sys

import trio
from dcl_comms_drivers.trio import connect

from dcl_comms_core import EVERYONE, ChatReceived, CommsError, PeerId, PeerJoined, PeerLeft

MARK = "echo: "
LONGEST = 150  # characters; who says more than a reader takes is not heard at all


async def echo(target: str) -> None:
    # Leaving the block leaves the room, also when it is cancelled.
    async with connect(target) as room:
        print(f"in the room as {room.identity}", flush=True)
        # The loop ends only by an exception: ConnectionLost says why the room is over, and whether to try again.
        async for event in room:
            match event:
                case ChatReceived(sender=PeerId() as who, text=text, private=private):
                    # repr: what peers write may hold escape sequences, and this is a terminal.
                    print(f"{who}: {text!r}", flush=True)
                    if not text.startswith(MARK):  # another echo bot: the two of us would never stop
                        room.chat(MARK + text[:LONGEST], to=who if private else EVERYONE)
                case PeerJoined(sender=who):
                    print(f"{who} is here", flush=True)
                case PeerLeft(sender=who):
                    print(f"{who} left", flush=True)
                case _:
                    pass  # movement, emotes, profiles and so on: see dcl_comms_core.events


if __name__ == "__main__":
    try:
        trio.run(echo, sys.argv[1] if len(sys.argv) > 1 else os.environ.get("DCL_COMMS_TARGET", ""))
    except KeyboardInterrupt:
        pass
    except CommsError as error:
        sys.exit(str(error))  # no error of dcl-comms shows a token
