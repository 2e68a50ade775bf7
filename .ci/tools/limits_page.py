"""docs/limits.md from the table at the head of dcl_comms_core/limits.py; ``--check`` fails where the two differ."""

from __future__ import annotations

import re

from generated import ROOT, keep

from dcl_comms_core import limits

PAGE = ROOT / "docs" / "limits.md"

HEAD = """# Limits

<!-- Made by .ci/tools/limits_page.py from dcl_comms_core/limits.py: change it there. -->

Pass your own with `connect(target, limits=Limits(...))`. Whatever reaches a limit is counted: see `connection.stats.lost`.

**Sending more than the link takes.** Each link has credits, so many packets that it was given and did not acknowledge yet. `await
connection.send(packet)` waits for one, so a loop that pushes without a pause runs at the speed of the link and takes no more memory than
`send_queue` and `send_queue_bytes` allow. The verbs that do not wait (`send_nowait`, `chat`, `move` and so on) queue, and raise
`SendQueueFull` where the queue ends; then nothing was sent.

**Getting more than the application reads.** Of each peer's unread movements only the newest is kept; it takes the place of the older one,
so whoever reads slowly hears of all peers in turn. So it is with islands, speakers, a room's metadata and a peer's name, metadata and
attributes. Everything else waits in order, each event with the memory that it takes, up to `event_queue` and `event_queue_bytes`, and then
`on_full` says whether the oldest go (a `LimitReached` stands in their place) or the room is closed.

**A peer that floods.** Each peer has an allowance for each kind of packet: a rate, and `burst_seconds` of it saved up, far above what
explorers send. Beyond it, of movements the newest is told as soon as the rate allows it, other packets are let go. `LimitReached` with the
peer as `sender` says so once, until the peer has been within the rate for long enough to have all of its burst again; `stats.lost` counts all of it,
`connection.traffic(peer)` what one peer did, with an abuse score: one point for each packet beyond an allowance and five for each that is
not acceptable, half of which are forgotten every minute. With `delivery="packets"` nothing is held back for its rate or replaced by a newer one.

"""


def page() -> str:
    lines = str(limits.__doc__).split("\n")
    rule = [number for number, line in enumerate(lines) if line.startswith("====")]
    columns = [match.span() for match in re.finditer("=+", lines[rule[0]])]
    rows: list[list[str]] = []
    for line in lines[rule[1] + 1 : rule[2]]:
        # The last column may be longer than its rule.
        cells = [line[start:end].strip() for start, end in columns[:-1]] + [line[columns[-1][0] :].strip()]
        if cells[0]:
            rows.append(cells)
        else:
            rows[-1][2] += " " + cells[2]
    table = ["| limit | default | at the limit |", "|---|---|---|"]
    table += [f"| `{name}` | {default} | {what.replace('``', '`')} |" for name, default, what in rows]
    return HEAD + "\n".join(table) + "\n"


if __name__ == "__main__":
    keep(PAGE, page())
