"""WebSocket frames of the common kind, without the library: whole binary messages, which nearly all are.

websockets' own parser and serialiser are for all kinds of frames, and take several times as long for one of these.
Everything else (control frames, fragments, text, what breaks the rules) still goes through them, byte by byte as it
came, so that what they enforce is enforced.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.extras import needs

with needs("net"):
    try:
        from websockets.speedups import apply_mask
    except ImportError:  # no compiled part on this platform
        from websockets.utils import apply_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Splitter", "pack"]

_WHOLE_BINARY: Final = 0x82
_LENGTH: Final = 0x7F
_MASKED: Final = 0x80
_SHORT: Final = 126
_LONG: Final = 127
_LARGEST_SHORT: Final = 65_536
_MASK_BYTES: Final = 4


def pack(messages: Sequence[bytes]) -> list[bytes]:
    """The frames of binary messages, in pieces; masked, as a client has to."""
    masks = os.urandom(_MASK_BYTES * len(messages))
    pieces: list[bytes] = []
    at = 0
    for data in messages:
        size = len(data)
        mask = masks[at : at + _MASK_BYTES]
        at += _MASK_BYTES
        if size < _SHORT:
            head = bytes((_WHOLE_BINARY, _MASKED | size))
        elif size < _LARGEST_SHORT:
            head = bytes((_WHOLE_BINARY, _MASKED | _SHORT, size >> 8, size & 0xFF))
        else:
            head = bytes((_WHOLE_BINARY, _MASKED | _LONG)) + size.to_bytes(8, "big")
        pieces += (head, mask, apply_mask(data, mask))
    return pieces


class Splitter:
    """Takes whole binary messages out of what a server sends.

    ``next`` gives, one after the other, such messages, and between them, as ``other``, the bytes of what is for the
    library's parser.  While that is in the middle of a fragmented message, ``divert`` has all frames go to it.
    ``taken``: how many bytes it gave of what is fed last.
    """

    __slots__ = ("_buffer", "_limit", "messages", "other", "taken")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = b""
        self.taken = 0
        self.messages: list[bytes] = []
        """What the last ``next`` found."""
        self.other = b""
        """What came after it and is for the library; empty: nothing."""

    def feed(self, data: bytes) -> None:
        """Take what came in."""
        rest = self._buffer[self.taken :] if self.taken else self._buffer
        self._buffer = rest + data if rest else data
        self.taken = 0

    def next(self, *, divert: bool, most: int, until: int) -> bool:
        """Go on: messages up to one frame of another kind, ``most`` of them, none that begins at ``until`` or later.

        False: there is nothing whole left.
        """
        buffer, at, end, limit = self._buffer, self.taken, len(self._buffer), self._limit
        messages: list[bytes] = []
        self.other = b""
        last = min(end - 1, until)
        while at < last and len(messages) < most:
            size, start = buffer[at + 1], at + 2
            if size >= _SHORT:
                masked, size = size & _MASKED, size & _LENGTH
                wide = 2 if size == _SHORT else 8 if size == _LONG else 0
                if end < start + wide:
                    break
                if wide:
                    size = int.from_bytes(buffer[start : start + wide], "big")
                start += wide + (_MASK_BYTES if masked else 0)
                if size > limit:
                    # Nobody waits for the end of it: the library refuses it by its head.
                    self.other, at = buffer[at:], end
                    break
            else:
                masked = 0
            stop = start + size
            if stop > end:
                break
            if masked or divert or buffer[at] != _WHOLE_BINARY:
                self.other, at = buffer[at:stop], stop
                break
            messages.append(buffer[start:stop])
            at = stop
        self.taken = at
        self.messages = messages
        return bool(messages or self.other)
