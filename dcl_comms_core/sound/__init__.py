"""Sound as people have it: pieces of it, WAV in and out, and what somebody said from one silence to the next."""

from __future__ import annotations

from dcl_comms_core.sound.pieces import Sound
from dcl_comms_core.sound.utterances import Utterances

__all__ = ["Sound", "Utterances"]
