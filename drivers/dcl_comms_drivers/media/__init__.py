"""Sound and pictures: the frames, what a link offers, what an application awaits."""

from __future__ import annotations

from dcl_comms_drivers.media.frames import AudioFrame, VideoFormat, VideoFrame
from dcl_comms_drivers.media.hearing import Utterance
from dcl_comms_drivers.media.waiting import AudioIn, AudioOut, TrackIn, TrackOut, VideoIn, VideoOut

__all__ = [
    "AudioFrame",
    "AudioIn",
    "AudioOut",
    "TrackIn",
    "TrackOut",
    "Utterance",
    "VideoFormat",
    "VideoFrame",
    "VideoIn",
    "VideoOut",
]
