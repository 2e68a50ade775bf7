"""Says again what somebody said, once they are silent, and keeps it as a WAV file.  Needs LiveKit's rooms."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from dcl_comms_drivers.asyncio import Connection, connect, run
from dcl_comms_drivers.wallet import DisposableWallet


async def parrot(room: Connection) -> None:
    async with room.publish_audio() as microphone, room.utterances(silence=0.6, longest=10.0) as heard:
        async for who, sound in heard:
            print(f"{who.short} said {sound.seconds:.2f} s", flush=True)
            Path("parrot.wav").write_bytes(sound.wav())
            await microphone.play(sound)


async def main(url: str) -> None:
    async for room in connect.forever(url, wallet=DisposableWallet(), subscribe="audio"):
        await parrot(room)


if __name__ == "__main__":
    sys.exit(run(partial(main, sys.argv[1])))
