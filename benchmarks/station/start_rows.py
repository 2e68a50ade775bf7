"""How long one waits: until the link is printed, and until the page can be used; and how large the page is.

Musts: 1 s for the link, 2.5 s until its own realm is open; 800 ms for the page; 100 KB at its start, 150 KB in all, as gzip has it.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import dcl_comms_station

from station.bounds import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from station.bounds import Row

STATIC = Path(dcl_comms_station.__file__).parent / "web" / "static"
AT_START = ("index.html", "station.css", "station.js", "icon.svg")
ROUNDS = 5


def _link(*arguments: str) -> float:
    """Seconds from the command to its link."""
    command = [sys.executable, "-m", "dcl_comms_station", "station", "--no-browser", *arguments]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as station:
            assert station.stdout is not None
            line = station.stdout.readline()
            elapsed = time.perf_counter() - start
            station.terminate()
    assert line.startswith("http://127.0.0.1:"), line
    return elapsed


def _packed(names: Iterator[Path]) -> float:
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in names) / 1_000


def start_rows(only: str) -> Iterator[Row]:
    """A row for each case that has this text in it."""
    for case, arguments in (
        ("from the command to its link, a room", ("simulator:bench-station?identity=me",)),
        ("from the command to its link, its own realm", ()),
    ):
        if only in case:
            yield bounded(case, "s", [_link(*arguments) for _ in range(ROUNDS + 1)][1:], 1.0)
    if only in (case := "the page at its start, packed"):
        yield bounded(case, "KB", [_packed(STATIC / name for name in AT_START)], 100.0)
    if only in (case := "the page, all of it, packed"):
        yield bounded(case, "KB", [_packed(iter(STATIC.iterdir()))], 150.0)
