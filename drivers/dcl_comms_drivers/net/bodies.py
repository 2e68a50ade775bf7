"""A body, decompressed no further than it may be long: a few kilobytes of gzip can stand for gigabytes."""

from __future__ import annotations

import zlib
from typing import Final

from dcl_comms_core.errors import RequestFailed
from dcl_comms_core.states import CloseReason

__all__ = ["ACCEPTED", "Body"]

ACCEPTED: Final = "gzip"
"""What to ask for."""

_GZIP: Final = frozenset({"gzip", "x-gzip"})
_PLAIN: Final = frozenset({"", "identity"})
_GZIP_BITS: Final = 16 + zlib.MAX_WBITS
_OVERHEAD: Final = 65_536
"""How much longer than its content a compressed body may be."""


class Body:
    """Collects a body.  RequestFailed(PROTOCOL): too long, or not compressed as it says."""

    def __init__(self, encoding: str, limit: int) -> None:
        coding = encoding.strip().lower()
        if coding not in _GZIP | _PLAIN:
            raise RequestFailed(CloseReason.PROTOCOL, "a body compressed in a way that was not asked for")
        self._decoder = zlib.decompressobj(_GZIP_BITS) if coding in _GZIP else None
        self._limit = limit
        self._raw = 0
        self._parts = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what came in."""
        self._raw += len(data)
        if self._decoder is not None:
            if self._raw > self._limit + _OVERHEAD:
                raise self._too_long()
            data = self._inflated(data)
        self._parts += data
        if len(self._parts) > self._limit:
            raise self._too_long()

    def finish(self) -> bytes:
        """Return all of it."""
        if self._decoder is not None and self._raw and not self._decoder.eof:
            raise RequestFailed(CloseReason.PROTOCOL, "a compressed body that ends half-way")
        return bytes(self._parts)

    def _inflated(self, data: bytes) -> bytes:
        decoder = self._decoder
        assert decoder is not None  # noqa: S101 - it is asked for where there is one
        # One byte more than fits, which shows that it does not.
        room = self._limit - len(self._parts) + 1
        try:
            inflated = decoder.decompress(data, room)
        except zlib.error:
            raise RequestFailed(CloseReason.PROTOCOL, "a body that is not compressed as it says") from None
        if decoder.unused_data:
            raise RequestFailed(CloseReason.PROTOCOL, "more behind the end of a compressed body")
        return inflated

    def _too_long(self) -> RequestFailed:
        return RequestFailed(CloseReason.PROTOCOL, f"a body over the limit of {self._limit} bytes")
