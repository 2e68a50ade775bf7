"""Lines out of what comes in: of a pipe, and of keys on a terminal that is told nothing about lines."""

from __future__ import annotations

import codecs
import re
from typing import Final

from dcl_comms_station.showing.widths import window

__all__ = ["MOST_CHARS", "Keys", "Pipe"]

MOST_CHARS: Final = 65_536
"""Of one line of a pipe."""
_MOST_TYPED: Final = 8_192
"""As many as a chat message has: Limits.chat_chars."""
_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[@-~]|[^\[O])")
_UNFINISHED: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?")
_LONGEST_ESCAPE: Final = 32
_WORD: Final = re.compile(r"\S*\s*$")


class Pipe:
    """Lines of a pipe or a file.  ``feed(b"")``: its end, which ends the last line."""

    ended = False

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.rest = ""
        """A line that has no end yet."""
        self._skips = False
        self.too_long = 0
        """How many lines were left out, as they had more than MOST_CHARS."""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are whole now."""
        self.ended = not data
        *lines, self.rest = (self.rest + self._decoder.decode(data, final=self.ended)).split("\n")
        if self.ended and self.rest:
            lines.append(self.rest)
            self.rest = ""
        kept = [line.removesuffix("\r") for line in lines if not self._is_too_long(line)]
        if len(self.rest) > MOST_CHARS:
            self.rest, self._skips = "", True
        return kept

    def _is_too_long(self, line: str) -> bool:
        too_long = self._skips or len(line) > MOST_CHARS
        self._skips = False
        self.too_long += too_long
        return too_long


class Keys:
    """What is typed: a line with a cursor in it, and the keys that people know from their shell.

    Enter ends a line; Ctrl-D on an empty one is the end.  Left, right, Home, End (Ctrl-A, Ctrl-E); backspace, Delete,
    Ctrl-W (a word), Ctrl-U (all before the cursor), Ctrl-K (all behind it).  Other control characters are passed over.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""
        """An escape sequence that has no end yet."""
        self.text = ""
        self.at = 0
        """Index of the cursor."""
        self.ended = False

    def feed(self, data: bytes) -> list[str]:
        """The lines that are whole now; ``b""``: nothing will come any more."""
        if not data:
            self.ended = True
            return []
        incoming = self._rest + self._decoder.decode(data)
        self._rest = ""
        lines: list[str] = []
        index = 0
        while index < len(incoming) and not self.ended:
            char = incoming[index]
            if char == "\x1b":
                found = _ESCAPE.match(incoming, index)
                if found is None:
                    open_end = _UNFINISHED.fullmatch(incoming, index)
                    if open_end is not None and len(open_end[0]) < _LONGEST_ESCAPE:
                        self._rest = open_end[0]
                        break
                    index += 1
                    continue
                self._move(found[0])
                index = found.end()
                continue
            index += 1
            if char in "\r\n":
                lines.append(self.text)
                self._set("", 0)
            else:
                self._press(char)
        return lines

    def view(self, prompt: str, columns: int) -> tuple[str, int]:
        """The prompt and as much of the text as fits around the cursor, and the cursor's column."""
        shown, column = window(self.text, self.at, max(1, columns - len(prompt)))
        return prompt + shown, len(prompt) + column

    def _set(self, text: str, at: int) -> None:
        self.text, self.at = text, at

    def _press(self, char: str) -> None:
        text, at = self.text, self.at
        match char:
            case "\x7f" | "\x08":
                self._set(text[: max(0, at - 1)] + text[at:], max(0, at - 1))
            case "\x01":
                self.at = 0
            case "\x05":
                self.at = len(text)
            case "\x04" if not text:
                self.ended = True
            case "\x04":
                self._set(text[:at] + text[at + 1 :], at)
            case "\x0b":
                self._set(text[:at], at)
            case "\x15":
                self._set(text[at:], 0)
            case "\x17":
                before = _WORD.sub("", text[:at], count=1) if at else ""
                self._set(before + text[at:], len(before))
            case _ if char.isprintable() and len(text) < _MOST_TYPED:
                self._set(text[:at] + char + text[at:], at + 1)
            case _:
                pass

    def _move(self, escape: str) -> None:
        match escape:
            case "\x1b[D" | "\x1bOD":
                self.at = max(0, self.at - 1)
            case "\x1b[C" | "\x1bOC":
                self.at = min(len(self.text), self.at + 1)
            case "\x1b[H" | "\x1bOH" | "\x1b[1~":
                self.at = 0
            case "\x1b[F" | "\x1bOF" | "\x1b[4~":
                self.at = len(self.text)
            case "\x1b[3~":
                self.text = self.text[: self.at] + self.text[self.at + 1 :]
            case _:
                pass
