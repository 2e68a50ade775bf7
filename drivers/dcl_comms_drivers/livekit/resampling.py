"""Sound of another rate, by what the livekit wheel has for that."""

from __future__ import annotations

from dcl_comms_core.errors import LocalProtocolError

__all__ = ["Resampler"]


class Resampler:
    """From one rate to another, a piece at a time.  LocalProtocolError: it can't be done with these rates."""

    def __init__(self, given: int, wanted: int, channels: int) -> None:
        from livekit import rtc  # noqa: PLC0415 - the engine's link goes without the rest of the SDK until this is used

        try:
            self._native = rtc.AudioResampler(given, wanted, num_channels=channels)
        except Exception as error:  # noqa: BLE001 - the SDK raises nothing more exact
            msg = f"sound of {given} Hz can't be made into {wanted} Hz: {error}"
            raise LocalProtocolError(msg) from None

    def push(self, samples: bytes) -> bytes:
        """Take 16-bit samples; gives those that are ready."""
        return b"".join(bytes(frame.data) for frame in self._native.push(bytearray(samples)))

    def flush(self) -> bytes:
        """That was all: the samples that are left."""
        return b"".join(bytes(frame.data) for frame in self._native.flush())
