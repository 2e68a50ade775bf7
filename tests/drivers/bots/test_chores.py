"""Machines beside a session hear of its events, get their time, and use its verbs, on every loop."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.loops.chores import Chores
from dcl_comms_drivers.testing import run_bot

from dcl_comms_core import ChatReceived
from dcl_comms_core.testing.script import Join, Say


class Answering:
    """Answers every chat message some seconds after it came."""

    def __init__(self, session, pause):
        self.session = session
        self.pause = pause
        self.due = None
        self.text = ""

    def take(self, events, *, now):
        for event in events:
            if isinstance(event, ChatReceived):
                self.text, self.due = event.text, now + self.pause

    def deadline(self):
        return self.due

    def handle_timeout(self, now):
        self.due = None
        self.session.chat(f"{self.text}, {now:.0f}")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_chore_answers_in_its_own_time(backend):
    async def bot(room):
        room.driver.chores.add(Answering(room.driver.session, 30.0))
        async for _ in room:
            pass

    transcript = run_bot(bot, script=[Join(0.0, "alice"), Say(5.0, "alice", "hi")], backend=backend)
    ((at, text),) = transcript.chats
    assert text.startswith("hi, ")
    assert 35.0 <= at <= 36.0


class Due:
    """Due at a time; notes when it was turned."""

    def __init__(self, due):
        self.due = due
        self.turned = []

    def take(self, events, *, now):
        raise AssertionError(events)

    def deadline(self):
        return self.due

    def handle_timeout(self, now):
        self.turned.append(now)


def test_the_earliest_chore_counts_and_only_those_that_are_due_are_turned():
    chores = Chores()
    assert chores.deadline() is None
    early, late, never = Due(1.0), Due(2.0), Due(None)
    for chore in (late, never, early, late):
        chores.add(chore)
    assert chores.deadline() == 1.0
    chores.handle_timeout(1.5)
    assert (early.turned, late.turned, never.turned) == ([1.5], [], [])
    chores.handle_timeout(2.0)
    assert late.turned == [2.0]
    chores.remove(early)
    chores.remove(early)
    assert chores.deadline() == 2.0
