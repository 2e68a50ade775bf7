"""Recordings of a connection, as MCAP: made, read, made whole again, exported.  Needs ``dcl-comms[station]``.

::

    with Recording("evening.mcap") as recording:
        async with connect(target, tap=recording.tap) as room:
            ...

    with open_recording("evening.mcap") as recorded:
        for seen in recorded.observations():
            ...
"""

from __future__ import annotations

from dcl_comms_station.recording.keyframes import Newest
from dcl_comms_station.recording.observed import (
    Acknowledged,
    Keyframe,
    Lost,
    Noted,
    Observation,
    Received,
    Sent,
    Stepped,
)
from dcl_comms_station.recording.problems import InvalidRecording, RecordingStopped
from dcl_comms_station.recording.reader import RecordingReader, open_recording
from dcl_comms_station.recording.recorder import Recording, RecordingState

__all__ = [
    "Acknowledged",
    "InvalidRecording",
    "Keyframe",
    "Lost",
    "Newest",
    "Noted",
    "Observation",
    "Received",
    "Recording",
    "RecordingReader",
    "RecordingState",
    "RecordingStopped",
    "Sent",
    "Stepped",
    "open_recording",
]
