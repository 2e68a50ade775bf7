"""docs/machines.md names every state, trigger and timer of every machine, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rigs.core.pulse_line import Line
from rigs.core.world import GATE, STEADY, Universe, news, said

from dcl_comms_core import states

PAGE = (Path(__file__).parents[2] / "docs" / "machines.md").read_text(encoding="utf-8")
MACHINES = {
    "room": states.ROOM_TRANSITIONS,
    "stage": states.STAGE_TRANSITIONS,
    "islands": states.ARCHIPELAGO_TRANSITIONS,
    "way": states.WAY_TRANSITIONS,
    "stay": states.STAY_TRANSITIONS,
    "world": states.WORLD_TRANSITIONS,
    "pulse": states.PULSE_TRANSITIONS,
}
BOUNDS = {
    "room": states.ROOM_WAITS,
    "stage": states.STAGE_WAITS,
    "islands": states.ARCHIPELAGO_WAITS,
    "way": states.WAY_WAITS,
    "stay": states.STAY_WAITS,
    "world": states.WORLD_WAITS,
    "pulse": states.PULSE_WAITS,
}
STATES = {
    name: {state.value for row, to in table.items() for state in (row[0], to)} for name, table in MACHINES.items()
}
TRIGGERS = {trigger.value for table in MACHINES.values() for _, trigger in table}
WAITS = PAGE.partition("## What waits for what\n")[2].partition("\n## ")[0]


def test_every_state_named_in_the_page_exists():
    named = re.findall(rf"`({'|'.join(MACHINES)})\.(\w+)`", PAGE)
    # A world is never reconnecting: its states are those of a room that it can have.
    assert [one for one in named if one[1] not in STATES[one[0]]] == []
    assert len(named) > 30


def test_what_every_state_waits_for_is_told_once():
    rows = [row for row in WAITS.splitlines() if row.startswith("| `")]
    told = [one for row in rows for one in re.findall(rf"`({'|'.join(MACHINES)})\.(\w+)`", row.split("|")[1])]
    assert sorted(told) == sorted((name, state) for name, all_of_it in STATES.items() for state in all_of_it)


def test_the_timers_of_each_wait_are_those_of_its_table():
    rows = [row.split("|") for row in WAITS.splitlines() if row.startswith("| `")]
    named = {
        one: set(re.findall(r"`([A-Z]+)`", row[3]))
        for row in rows
        for one in re.findall(rf"`({'|'.join(MACHINES)})\.(\w+)`", row[1])
    }
    for name, table in BOUNDS.items():
        for state, bound in table.items():
            timers = set() if isinstance(bound, str) else {timer.name for timer in bound}
            # The page may name one more that ends it sooner, or one that ends nothing but tells.
            assert timers <= named[name, state.value], (name, state)


def test_every_trigger_is_named_and_nothing_else_is_called_one():
    italics = {words for line in PAGE.splitlines() for words in re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", line)}
    assert italics - TRIGGERS == {"words in italics"}
    assert TRIGGERS - italics == set()


def test_every_timer_is_named():
    named = set(re.findall(r"`([A-Z]+)`", WAITS))
    assert named == set(states.Timer.__members__)


def walk(heading):
    """A walk's rows: each as its machines' states."""
    text = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    header, _, *rows = [line for line in text.splitlines() if line.startswith("|")]
    machines = [cell.strip(" `") for cell in header.split("|")[2:-1]]
    cells = [[tuple(re.findall(r"`(\w+)`", cell)) for cell in row.split("|")[2:-1]] for row in rows]
    return [dict(zip(machines, row, strict=True)) for row in cells]


@pytest.mark.parametrize(
    "heading", ["From a realm's URL to the first room, and back", "Pulse beside it", "A scene beside the island"]
)
def test_the_walks_go_through_states_that_exist_and_steps_that_are_legal(heading):
    rows = walk(heading)
    assert len(rows) > 10
    before: dict[str, tuple[str, ...]] = {}
    for row in rows:
        for machine, here in row.items():
            assert set(here) <= STATES[machine], row
            if len(here) == len(before.get(machine, ())) == 1:
                assert reached(machine, before[machine][0], here[0]), (machine, before[machine], row)
        before = row


def reached(machine, one, other):
    """Whether a machine can get from one state into another within two moves: a row may tell of a few."""
    steps = {
        state.value: {to.value for (start, _), to in MACHINES[machine].items() if start is state}
        for state, _ in MACHINES[machine]
    }
    near = {one} | steps.get(one, set())
    return other in near or any(other in steps.get(state, set()) for state in near)


def test_the_walk_of_pulse_is_what_a_session_does():
    line = Line()
    seen = []

    def run(seconds):
        for _ in range(round(seconds * 50)):
            line.run(0.02)
            look()

    def look():
        now = line.session.state.value
        if seen[-1:] != [now]:
            seen.append(now)

    line.open()
    look()
    run(1.0)
    line.session.set_position((500.0, 0.0, 8.0), now=line.now)
    run(1.0)
    line.reaches = False
    run(20.0)
    line.reaches = True
    run(60.0)
    line.session.close(now=line.now)
    look()
    run(3.0)
    told = [row["pulse"][0] for row in walk("Pulse beside it")]
    assert set(seen) <= set(told)
    assert lasting(seen) == lasting(told)


def lasting(states):
    """Without steps on the way in, which may take no time and be tried in vain, and what is told twice."""
    kept = [state for state in states if state not in {"opening", "connecting", "signing", "greeting"}]
    return [state for state, after in zip(kept, [*kept[1:], None], strict=True) if state != after]


class Watcher:
    """Somebody in a realm, and everything that a walk's tables tell of."""

    def __init__(self, role, **options):
        self.role = role
        self.here = Universe()
        self.alice = self.here.visitor(reconnect=STEADY, **options)
        self.seen = []
        self.look()

    def look(self):
        session = self.alice.session
        standing = session.standing[self.role]
        rooms = tuple(room.state.value for room in session.rooms.values() if room.room == self.role)
        now = {
            "world": (session.state.value,),
            "stay": (standing.stay.value,),
            "way": (standing.way.value,),
            "room": rooms,
        }
        if not self.seen or self.seen[-1] != now:
            self.seen.append(now)

    def call(self, verb, *args):
        self.alice.call(verb, *args)
        self.look()

    def run(self, seconds):
        for _ in range(round(seconds * 250)):
            self.here.run(0.004)
            self.look()

    def saw(self, rows):
        """Whether all of them came, in this order."""
        trace = iter(self.seen)
        # The rig signs at once: what waits for a signature is not seen.
        wanted = [row for row in rows if row["way"] != ("signing",)]
        return [row for row in wanted if not any(row.items() <= now.items() for now in trace)] == []


def test_the_first_walk_is_what_a_session_does():
    walker = Watcher("island")
    here, alice = walker.here, walker.alice
    walker.call("open")
    walker.run(4.0)
    news(alice, "I2", here.mint("I2", alice.name))
    walker.run(2.0)
    here.rooms["I2"].shut_down(now=here.clock.now)
    walker.run(12.0)
    here.rooms["I2"].restart()
    walker.run(20.0)
    walker.call("close")
    walker.run(2.0)
    rows = [
        {machine: row[machine] for machine in ("world", "stay", "way", "room")}
        for row in walk("From a realm's URL to the first room, and back")
    ]
    assert walker.saw([row for row, other in zip(rows, [None, *rows], strict=False) if row != other])


def test_the_walk_of_a_scene_is_what_a_session_does():
    walker = Watcher("scene", gatekeeper=GATE)
    here = walker.here
    here.http["POST", GATE] = here.login("scene-x", key="adapter")
    walker.call("open")
    walker.run(4.0)
    walker.call("enter_scene", "x", (0, 0))
    walker.run(2.0)
    here.http["POST", GATE] = here.login("scene-y", key="adapter")
    walker.call("enter_scene", "y", (1, 0))
    walker.run(2.0)
    here.http["POST", GATE] = said(401, error="Access denied, deny-listed wallet")
    here.rooms["scene-y"].delete(now=here.clock.now)
    walker.run(8.0)
    rows = walk("A scene beside the island")
    assert walker.saw(rows)
    assert rows[-1] == walker.seen[-1]
