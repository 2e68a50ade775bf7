"""An echo bot on a plain game loop: no asyncio, no threads of ours, no callbacks between frames.

    python examples/echo_polled.py "livekit:wss://comms.example.com?access_token=..."

Without an argument the target comes from DCL_COMMS_TARGET, where no other user of the machine sees the token.
Ctrl-C leaves the room.  It says whatever it reads once more (in private, what came in private), and turns on the spot
meanwhile, because a game has something to do in each frame.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from dcl_comms_drivers import polled

from dcl_comms_core import EVERYONE, ChatReceived, CommsError, ConnectionLost, PeerId, RoomClosed, RoomOpened, RoomState

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.events import Event

MARK = "echo: "
LONGEST = 150  # characters; who says more than a reader takes is not heard at all
FRAME_SECONDS = 1 / 30
FRAMES_PER_MOVE = 3  # ten times a second is as often as the explorers send movement


def echo(target: str, running: Callable[[], bool] = lambda: True) -> None:
    # Joining happens inside poll(); the room is open with the event RoomOpened.
    with polled.open(target) as room:
        frame = 0
        while running():
            for event in room.poll():  # never blocks
                answer(room, event)
            if room.state is RoomState.OPEN and frame % FRAMES_PER_MOVE == 0:
                room.move((8.0, 0.0, 8.0), yaw=frame * 2.0)
            frame += 1
            time.sleep(FRAME_SECONDS)  # a game would draw here


def answer(room: polled.PolledConnection, event: Event) -> None:
    match event:
        case RoomOpened(identity=identity):
            print(f"in the room as {identity}", flush=True)
        case ChatReceived(sender=PeerId() as who, text=text, private=private):
            # repr: what peers write may hold escape sequences, and this is a terminal.
            print(f"{who}: {text!r}", flush=True)
            if not text.startswith(MARK):  # another echo bot: the two of us would never stop
                room.chat(MARK + text[:LONGEST], to=who if private else EVERYONE)
        case RoomClosed(reason=reason, retry=retry, detail=detail):
            raise ConnectionLost(reason, retry, detail)  # here the end is an event; what to make of it is ours
        case _:
            pass  # movement, emotes, profiles and so on: see dcl_comms_core.events


if __name__ == "__main__":
    try:
        echo(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("DCL_COMMS_TARGET", ""))
    except KeyboardInterrupt:
        pass
    except CommsError as error:
        sys.exit(str(error))  # no error of dcl-comms shows a token
