"""docs/states.md: the diagrams of the core's machines, from the tables in states/; ``--check`` fails where they differ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from generated import ROOT, keep

from dcl_comms_core import states

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum

PAGE = ROOT / "docs" / "states.md"

HEAD = """# States

<!-- Made by .ci/tools/states_page.py from the tables in dcl_comms_core/states/: change them there. -->

Every move of every machine of the core. What a transport tells that has no arrow is late news and is ignored; what a caller asks for that has none
raises `LocalProtocolError`. Who moves whom, and what waits for what, is in [machines.md](machines.md).

Whoever waits has a deadline. The table below each machine says which timers bound a state, of which at least one runs in it; docs/limits.md says for how
long.
"""

MACHINES = (
    ("A room", "`RoomSession`, `WsRoomSession`: `session.state`", states.ROOM_TRANSITIONS, states.ROOM_WAITS, "new"),
    (
        "The handshake with the island service or a ws-room",
        "`session.stage`; why a server hung up is judged by it",
        states.STAGE_TRANSITIONS,
        states.STAGE_WAITS,
        "idle",
    ),
    (
        "The island service",
        "`ArchipelagoSession`: `session.state`",
        states.ARCHIPELAGO_TRANSITIONS,
        states.ARCHIPELAGO_WAITS,
        "new",
    ),
    (
        "A world",
        "`WorldSession`: `session.state`, of the island's or world's room",
        states.WORLD_TRANSITIONS,
        states.WORLD_WAITS,
        "new",
    ),
    (
        "The room of one role in a world",
        "The island's (or world's) room, and the scene's: each has one of these",
        states.STAY_TRANSITIONS,
        states.STAY_WAITS,
        "away",
    ),
    (
        "The way to a room",
        "From a realm's URL, or from the gatekeeper's",
        states.WAY_TRANSITIONS,
        states.WAY_WAITS,
        "idle",
    ),
    (
        "A connection of ENet",
        "`EnetPeer`: `peer.state`",
        states.ENET_TRANSITIONS,
        states.ENET_WAITS,
        "new",
    ),
    (
        "A presence on Pulse",
        "`PulseSession`: `session.state`",
        states.PULSE_TRANSITIONS,
        states.PULSE_WAITS,
        "new",
    ),
    (
        "A stay in a LiveKit room, by our own engine",
        "`SignalSession`, behind the link of a `RoomSession`",
        states.SIGNAL_TRANSITIONS,
        states.SIGNAL_WAITS,
        "new",
    ),
)


def diagram(table: Mapping[tuple[Enum, Enum], Enum], start: str) -> str:
    rows = [(one.value, trigger.value, other.value) for (one, trigger), other in table.items()]
    states_ = dict.fromkeys(state for one, _, other in rows for state in (one, other))
    from_all = {
        (trigger, other)
        for _, trigger, other in rows
        if {one for one, name, to in rows if (name, to) == (trigger, other)} == set(states_)
    }
    lines = ["stateDiagram-v2", f"    [*] --> {start}"]
    arrows: dict[tuple[str, str], list[str]] = {}
    for one, trigger, other in rows:
        if (trigger, other) not in from_all:
            arrows.setdefault((one, other), []).append(trigger)
    # Mermaid ends a label at a semicolon or a colon.
    lines += [
        f"    {one} --> {other}: {re.sub('[;:]', '', ' / '.join(triggers))}"
        for (one, other), triggers in arrows.items()
    ]
    lines += ["    closed --> [*]"] if "closed" in states_ else []
    text = "```mermaid\n" + "\n".join(lines) + "\n```\n"
    if from_all:
        told = ", ".join(f"*{trigger}* to `{other}`" for trigger, other in sorted(from_all))
        text += f"\nFrom every state: {told}.\n"
    return text


def waits(bounds: Mapping[Enum, states.Bound]) -> str:
    lines = ["| state | bounded by |", "|---|---|"]
    for state, bound in bounds.items():
        told = bound if isinstance(bound, str) else " or ".join(f"`{timer.value}`" for timer in bound)
        lines.append(f"| `{state.value}` | {told} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    parts = [HEAD]
    parts += [
        f"## {title}\n\n{what}.\n\n{diagram(table, start)}\n{waits(bounds)}"
        for title, what, table, bounds, start in MACHINES
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    keep(PAGE, page())
