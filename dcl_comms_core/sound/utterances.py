"""What somebody said, from one silence to the next, out of the sound of a live track.

Time is counted in samples: a track's sound comes steadily, silence too.
"""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.sound.pieces import Sound, level_of
from dcl_comms_core.sound.wav import SAMPLE_BYTES
from dcl_comms_core.tools.arguments import require_number, require_whole

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Utterances"]

_WINDOWS: Final = 100
"""Windows a second, each loud or quiet as a whole."""


class Utterances:
    """Cuts one track's sound into utterances.

    ``level``: what is louder is speech, a root of the mean square from 0 to 1 (0.01 is quiet speech).  ``silence``:
    seconds of quiet that end an utterance.  ``longest``: seconds after which it is cut, and goes on in the next one.
    ``shortest``: seconds of speech below which it was a click, and is not told.  ``margin``: seconds of what was before
    and after the speech that are kept with it.  LocalProtocolError: a number that can't be.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 48_000,
        channels: int = 1,
        level: float = 0.01,
        silence: float = 0.6,
        longest: float = 10.0,
        shortest: float = 0.1,
        margin: float = 0.2,
    ) -> None:
        require_whole(sample_rate, _WINDOWS, 0x7FFFFFFF, "a sample rate")
        require_whole(channels, 1, 0x7FFFFFFF, "a number of channels")
        for name, value in (
            ("level", level),
            ("silence", silence),
            ("longest", longest),
            ("shortest", shortest),
            ("margin", margin),
        ):
            require_number(value, f"{name} is a number of seconds, or of 1")
        if not 0.0 <= level < 1.0 or not 0.0 <= shortest <= longest or silence <= 0.0 or longest <= 0.0 or margin < 0.0:
            msg = "level is from 0 to 1; silence and longest are above 0, margin is not below, shortest at most longest"
            raise LocalProtocolError(msg)
        self._sample_rate = sample_rate
        self._channels = channels
        self._level = level
        self._window = sample_rate // _WINDOWS * channels * SAMPLE_BYTES
        self._silence = _windows(silence)
        self._longest = _windows(longest)
        self._shortest = _windows(shortest)
        self._margin = int(margin * _WINDOWS)
        self._rest = b""
        """Not yet a window."""
        self._before: deque[bytes] = deque(maxlen=self._margin)
        """Quiet windows, the newest, while nobody speaks."""
        self._said: list[bytes] = []
        """Windows of the utterance that goes on, with what was before it."""
        self._loud = 0
        """How many of them are loud."""
        self._quiet = 0
        """How many quiet ones are at its end."""

    @property
    def speaking(self) -> bool:
        """Whether an utterance goes on."""
        return bool(self._said)

    def feed(self, samples: Buffer) -> list[Sound]:
        """Take 16-bit samples of all channels; gives the utterances that ended with them, usually none."""
        data = self._rest + bytes(samples)
        whole = len(data) // self._window * self._window
        self._rest = data[whole:]
        ended = [self._take(data[start : start + self._window]) for start in range(0, whole, self._window)]
        return [sound for sound in ended if sound is not None]

    def end(self) -> Sound | None:
        """The track is over: the utterance that was going on, if that was one."""
        return self._ended()

    def _take(self, window: bytes) -> Sound | None:
        loud = level_of(window) > self._level
        if not self._said:
            if not loud:
                self._before.append(window)
                return None
            self._said = [*self._before]
            self._before.clear()
        self._said.append(window)
        self._loud += loud
        self._quiet = 0 if loud else self._quiet + 1
        if self._quiet >= self._silence or len(self._said) >= self._longest:
            return self._ended()
        return None

    def _ended(self) -> Sound | None:
        said, loud, quiet = self._said, self._loud, self._quiet
        self._said, self._loud, self._quiet = [], 0, 0
        spoken = len(said) - quiet
        self._before.extend(said[spoken + self._margin :])
        if loud < max(self._shortest, 1):
            return None
        return Sound(b"".join(said[: spoken + self._margin]), self._sample_rate, self._channels)


def _windows(seconds: float) -> int:
    return ceil(seconds * _WINDOWS - 1e-9)
