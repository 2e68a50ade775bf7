"""Models for a whole night: many more examples, and every row of the transition tables has to be walked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from fuzz.actors import Hits, watched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.stateful import RuleBasedStateMachine


def walk(machine: type[RuleBasedStateMachine], *tables: Mapping[Any, Any], examples: int, steps: int = 60) -> None:
    """Run a machine for long; prints how many rows of these tables it walked, which have to be all."""
    hits = Hits()
    deep = settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    with watched(hits):
        run_state_machine_as_test(machine, settings=deep)  # type: ignore[no-untyped-call]  # hypothesis gives no types
    rows = [row for table in tables for row in table]
    missed = [row for row in rows if not hits.rows[row]]
    print(f"{machine.__name__}: {len(rows) - len(missed)} of {len(rows)} rows; not: {missed}")
    assert missed == []
