"""A bot that hums: its microphone is on, so that there is something to listen to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import CommsError
from dcl_comms_core.sound.pieces import Sound
from dcl_comms_core.weather.can import Can
from dcl_comms_station.residents.tone import RATE, tone

if TYPE_CHECKING:
    from dcl_comms_bot import Bot, Context

__all__ = ["TUNE", "hums"]

TUNE: Final = (440.0, 523.25, 659.26, 880.0, 659.26, 523.25)
"""Hz, one note after the other."""
_NOTE: Final = 0.4
_BREATH: Final = 1.0
"""Seconds: before it begins, and between one time and the next."""


def hums(bot: Bot[None]) -> None:
    """Have a bot hum wherever its rooms carry sound, again and again."""

    @bot.every(_BREATH)
    async def hum(ctx: Context[None]) -> None:
        if not ctx.room.can(Can.SPEAK):
            return
        tune = Sound(b"".join(piece for hertz in TUNE for piece in tone(hertz, _NOTE)), RATE)
        try:
            async with ctx.room.publish_audio() as microphone:
                while True:
                    await microphone.play(tune)
                    await ctx.sleep(_BREATH)
        except CommsError:
            # The track goes with its island; it hums on in the next one, or never where the connection is over.
            return
