"""A command on a terminal of its own, and a small terminal that draws what it is told."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time

_CSI = re.compile(r"\x1b\[([0-9;?]*)([@-~])")


class Picture:
    """What stands on a terminal after some output: lines, colours left out.  It knows what ``showing`` uses."""

    def __init__(self, columns=80):
        self.columns = columns
        self.lines = [""]
        self.row = self.column = 0
        self.unknown = []
        self._rest = ""

    def draw(self, text):
        """What a program writes: the system makes two of a line's end."""
        self.feed(text.replace("\n", "\r\n"))

    def feed(self, text):
        text = self._rest + text
        index, self._rest = 0, ""
        while index < len(text):
            char = text[index]
            if char == "\x1b":
                found = _CSI.match(text, index)
                if found is None:
                    if len(text) - index < 16:
                        self._rest = text[index:]
                        return
                    self.unknown.append(text[index : index + 8])
                    index += 1
                    continue
                self._steer(found[1], found[2])
                index = found.end()
                continue
            index += 1
            self._put(char)

    def _steer(self, numbers, what):
        count = int(numbers) if numbers.isdigit() else 1
        match what:
            case "m":
                pass
            case "A":
                self.row = max(0, self.row - count)
            case "C":
                self.column = min(self.columns - 1, self.column + count)
            case "J" if not numbers:
                self.lines[self.row] = self.lines[self.row][: self.column]
                del self.lines[self.row + 1 :]
            case _:
                self.unknown.append(numbers + what)

    def _put(self, char):
        if char == "\r":
            self.column = 0
            return
        if char == "\n" or self.column >= self.columns:
            self.row += 1
            self.column = self.column if char == "\n" else 0
            while len(self.lines) <= self.row:
                self.lines.append("")
            if char == "\n":
                return
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + char + line[self.column + 1 :]
        self.column += 1


class OnTerminal:
    """A process whose standard input and output are a terminal; standard error is a pipe."""

    def __init__(self, command, *, columns=100, env=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self.process = subprocess.Popen(
            # Whoever begins a session and opens a terminal has it from then on: Ctrl-C is for that one.
            ["sh", "-c", 'exec "$@" <"$0" >"$0"', os.ttyname(slave), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**_clean_environment(), **(env or {})},
        )
        self.raw = b""
        self.columns = columns
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while True:
            try:
                piece = os.read(self.master, 4096)
            except OSError:
                return
            if not piece:
                return
            self.raw += piece

    @property
    def text(self):
        return self.raw.decode(errors="replace")

    @property
    def picture(self):
        picture = Picture(self.columns)
        picture.feed(self.text)
        assert picture.unknown == []
        return picture

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, condition, timeout=60.0):
        """Until this holds of the picture; gives it."""
        end = time.monotonic() + timeout
        while not condition(picture := self.picture):
            assert time.monotonic() < end, picture.lines
            assert self.process.poll() is None, (picture.lines, self.process.stderr.read())
            time.sleep(0.02)
        return picture

    def until_line(self, text, timeout=60.0):
        """Until a line has this in it; gives the line."""
        found = self.until(lambda picture: any(text in line for line in picture.lines), timeout)
        return next(line for line in found.lines if text in line)

    def wait(self, timeout=60.0):
        """Its exit code, once all of its output has been read; and what it said on standard error."""
        _, stderr = self.process.communicate(timeout=timeout)
        self.modes = termios.tcgetattr(self._slave)
        os.close(self._slave)
        self._thread.join(timeout)
        return self.process.returncode, "".join(_without_waiting(stderr.splitlines(keepends=True)))

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.wait()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


class OnPipes:
    """A process that is talked with through pipes, a line at a time."""

    def __init__(self, command, *, env=None):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**_clean_environment(), **(env or {})},
        )
        self.lines, self.errors = [], []
        streams = ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        self._threads = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in streams]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _read(stream, lines):
        with stream:
            lines.extend(line.rstrip("\n") for line in stream)

    def write(self, *lines):
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def until(self, text, timeout=60.0):
        """Until a line of standard output has this in it; gives it."""
        end = time.monotonic() + timeout
        while True:
            for line in tuple(self.lines):
                if text in line:
                    return line
            assert time.monotonic() < end, (text, self.lines, self.errors)
            assert self.process.poll() is None or any(thread.is_alive() for thread in self._threads), self.errors
            time.sleep(0.02)

    def wait(self, timeout=60.0):
        """Its exit code, once all of its output has been read; and what it said on standard error."""
        code = self.process.wait(timeout)
        self.end()
        return code, _without_waiting(self.errors)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for thread in self._threads:
            thread.join()
        if not self.process.stdin.closed:
            self.process.stdin.close()


def _without_waiting(lines):
    """What was said but that it takes long, which on a busy machine it may."""
    return [line for line in lines if "still waiting for" not in line]


def _clean_environment():
    """Without what says how things look."""
    left_out = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "DCL_COMMS_TARGET"}
    return {name: value for name, value in os.environ.items() if name not in left_out} | {"TERM": "xterm-256color"}
