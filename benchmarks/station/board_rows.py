"""What a page costs the Station: the encoding of a thousand who moved, for each page that looks.  The must is 1.5 us of a row and page."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from dcl_comms_station.board.board import Board
from dcl_comms_station.board.messages import Source
from dcl_comms_station.board.observed import Received, Step

from station.bounds import bounded
from station.crowd import HOW, Crowd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from station.bounds import Row

PEERS = 1_000
ROUNDS = 20
PAGES = 8
NOW = 1_800_000_000.0
HELLO = {"id": 1, "do": "hello", "protocol": 1, "view": {"map": {"on": True, "hz": 20}}}


class _Served:
    """A Board with a crowd, and so many pages that look at the map."""

    def __init__(self, pages: int) -> None:
        self._board, self._crowd, self._now = Board(), Crowd(PEERS), NOW
        self._board.begin(Source(kind="target", target="a crowd"), now=NOW)
        self._board.observe([Step(NOW, event) for event in self._crowd.opening(0.0)], now=NOW)
        self._pages = [self._board.connect(number, read_only=False, now=NOW) for number in range(1, pages + 1)]
        for page in self._pages:
            self._board.receive(page.number, json.dumps(HELLO), now=NOW)
        self._draw()

    def _draw(self) -> int:
        """Every page has drawn all that there is; how many bytes of positions that was."""
        size = 0
        while any(page.frames for page in self._pages):
            for page in self._pages:
                size += sum(len(frame) for frame in page.frames if isinstance(frame, bytes))
                page.frames.clear()
                self._board.receive(page.number, '{"ack": 1000000000}', now=self._now)
        return size

    def tick(self) -> float:
        """Seconds until everybody's move is taken and sent."""
        self._now += 0.1
        now = self._now
        seen: list[Received | Step] = []
        for who, data, event in self._crowd.moves(PEERS, now - NOW):
            seen += [Received(now, "island", who, data, *HOW.values()), Step(now, event)]
        start = time.process_time()
        self._board.observe(seen, now=now)
        elapsed = time.process_time() - start
        assert self._draw() >= 20 * PEERS * len(self._pages)
        return elapsed


def board_rows(only: str) -> Iterator[Row]:
    """A row for each case that has this text in it."""
    case = "a row that moved, for one page"
    if only in case:
        alone, served = _Served(0), _Served(PAGES)
        rounds = [(served.tick() - alone.tick()) / (PEERS * PAGES) * 1e6 for _ in range(ROUNDS + 1)][1:]
        yield bounded(case, "us", rounds, 1.5)
    case = "a packet and its event, into what is kept"
    if only in case:
        alone = _Served(0)
        yield bounded(case, "us/packet", [alone.tick() / PEERS * 1e6 for _ in range(ROUNDS + 1)][1:], 50.0)
