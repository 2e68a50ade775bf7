"""What can be wrong with a recording, as errors."""

from __future__ import annotations

from dcl_comms_station.exits import Exit, Failed

__all__ = ["InvalidRecording", "RecordingStopped"]


class InvalidRecording(Failed):
    """A file is no recording of ours, or what is in it can't be read."""

    def __init__(self, text: str) -> None:
        super().__init__(Exit.PROTOCOL, text)


class RecordingStopped(Failed):
    """A recording can't be written, or could not be to its end.  What was saved until then can be read."""

    def __init__(self, text: str) -> None:
        super().__init__(Exit.USAGE, text)
