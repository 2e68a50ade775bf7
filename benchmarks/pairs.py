"""Two ends of a network benchmark, each in a process of its own, that are told what to do by lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from statistics import median
from typing import TYPE_CHECKING

from livekit_party import payload

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = dict[str, object]


class Process:
    """One process, which says on standard output that it is connected, and then answers orders."""

    def __init__(self, name: str, command: list[str], first_line: str, environment: Mapping[str, str]) -> None:
        self._name = name
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env={**os.environ, **environment},
        )
        self.pid = self._process.pid
        self._write(first_line)
        self.connected = self.hear()
        """What it said of that."""
        assert self.connected["did"] == "connect"

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def tell(self, **order: object) -> None:
        self._write(json.dumps(order))

    def hear(self) -> dict[str, float]:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            # rtc-node writes its log there too.
            if line.startswith('{"did":'):
                return json.loads(line)
        raise RuntimeError(f"a party of the benchmark ended early: {self.close()}")

    def close(self) -> str:
        """End it; what it complained about is shown, with its name."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        code = self._process.wait(30)
        self._complaints.seek(0)
        complaints = f"{self._name} ended with {code}. {self._complaints.read()}".strip()
        self._complaints.close()
        if code != 0 or not complaints.endswith(f"with {code}."):
            print(f"({complaints})", file=sys.stderr, flush=True)
        return complaints


class Pair:
    """A sender and a receiver of one kind."""

    def __init__(self, kind: str, receiver: Process, sender: Process) -> None:
        self.kind = kind
        self.receiver = receiver
        self.sender = sender
        self._next = 0

    def round(self, size: int, *, reliable: bool, window: int, count: int, patience: float = 10) -> dict[str, float]:
        first, self._next = self._next, self._next + count
        self.receiver.tell(do="expect", first=first, count=count)
        self.receiver.hear()
        whole = len(payload(size, first))
        self.sender.tell(do="send", first=first, count=count, size=size, bytes=whole, reliable=reliable, window=window)
        sent = self.sender.hear()
        self.receiver.tell(do="result", patience=patience if reliable else 1)
        got = self.receiver.hear()
        distinct = max(got["distinct"], 1)
        return {
            "rate": (distinct - 1) / got["seconds"] if got["seconds"] > 0 else 0.0,
            "cpu": (sent["cpu"] + got["cpu"]) / distinct * 1e6,
            "distinct": got["distinct"],
        }

    def trip(self, size: int, *, reliable: bool, count: int) -> dict[str, float]:
        """So many packets there and back, one after the other."""
        first, self._next = self._next, self._next + count
        self.receiver.tell(do="expect", first=first, count=count, back=reliable)
        self.receiver.hear()
        whole = len(payload(size, first))
        self.sender.tell(do="trip", first=first, count=count, size=size, bytes=whole, reliable=reliable)
        sent = self.sender.hear()
        self.receiver.tell(do="result", patience=0)
        got = self.receiver.hear()
        distinct = sent["distinct"]
        return {"p50": sent["p50"] * 1e6, "cpu": (sent["cpu"] + got["cpu"]) / distinct * 1e6, "distinct": distinct}

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()


def row(bench: str, case: str, unit: str, baseline_name: str, pairs: list[tuple[float, float]]) -> Row:
    """A row of a benchmark: ours and the baseline's in each round, and the medians."""
    return {
        "bench": bench,
        "case": case,
        "unit": unit,
        "ours": round(median(ours for ours, _ in pairs), 1),
        "baseline": round(median(theirs for _, theirs in pairs), 1),
        "baseline_name": baseline_name,
        # The median of the rounds' ratios: both sides of a ratio were measured right after each other.
        "ratio": round(median(ours / theirs if theirs else 0.0 for ours, theirs in pairs), 3),
        "rounds": [[round(ours, 1), round(theirs, 1)] for ours, theirs in pairs],
    }
