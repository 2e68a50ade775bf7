"""Play seeds of dcl_comms_rtc: two peers on a bad line, whom everybody sends junk; SDP that is changed.

    python fuzz/webrtc/play.py --seeds 200 [--first 0]

Ends with 1 where anything else than RtcError or ValueError came out, or where a message did not arrive once, in order.
Without the module, which `make rtc` builds, it says so and ends with 0, or with 1 where REQUIRE_RTC=1.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from rigs.rtc.line import RtcLine, rtc_module  # noqa: E402 - where they are is known now

from fuzz.seeds import failure  # noqa: E402 - likewise
from fuzz.webrtc.junk import junk, junk_sdp  # noqa: E402 - likewise

RELIABLE = ("_reliable", True, None, None)


def connected(seed: int) -> str:
    """Once it stands, junk changes nothing."""
    line, random = RtcLine(seed, loss=0.1, double=0.1, jitter=0.03), Random(seed)
    (number,) = line.join(RELIABLE)
    messages = [place.to_bytes(2, "big") * random.randrange(1, 900) for place in range(60)]
    for message in messages:
        assert line.send(line.a, (number, message)) == 1
        seen = [*line.a.sent, *line.b.sent]
        for _ in range(8):
            line.deliver(random.choice([line.a, line.b]), *(junk(random, seen) for _ in range(random.randrange(4))))
        line.wait(0.02)
    line.run(lambda: len(line.b.messages(0)) >= 60)
    assert line.b.messages(0) == messages
    return "connected"


def connecting(seed: int) -> str:
    """Before that it may fail, by the documented error; then it can be closed."""
    rtc, random = rtc_module(), Random(seed)
    line = RtcLine(seed, double=0.1, jitter=0.02)
    for side in (line.a, line.b):
        side.peer.add_local(side.address)
    offer, _ = line.a.peer.offer([RELIABLE])
    result = "went on"
    try:
        answer = line.b.peer.accept_offer(junk_sdp(random, offer, offer) if seed % 2 else offer)
        line.a.peer.accept_answer(junk_sdp(random, answer, offer) if seed % 3 else answer)
        line.poll()
        for _ in range(300):
            line.step()
            line.deliver(random.choice([line.a, line.b]), junk(random, [*line.a.sent, *line.b.sent]))
    except rtc.RtcPanic:
        raise
    except (rtc.RtcError, ValueError) as error:
        result = str(error).partition(":")[0]
    for side in (line.a, line.b):
        line.take(side, side.peer.close())
        assert not side.peer.alive
    return result


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    if find_spec("dcl_comms_rtc") is None:
        print("dcl_comms_rtc is not built here: make rtc")
        return int(os.environ.get("REQUIRE_RTC") == "1")
    came: Counter[str] = Counter()
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        for play in (connected, connecting):
            try:
                came[play(seed)] += 1
            except Exception as error:  # noqa: BLE001 - whatever came out of it is what we look for
                came["FAILURE"] += 1
                print(f"FAILURE {play.__name__}: {failure(seed, error)}", flush=True)
    print(f"rtc: {arguments.seeds} seeds: " + ", ".join(f"{count} {what}" for what, count in came.most_common()))
    return int("FAILURE" in came)


if __name__ == "__main__":
    sys.exit(main())
