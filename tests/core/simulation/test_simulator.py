"""``simulator:`` strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcl_comms_core import (
    ConnectionStringProblem,
    Faults,
    InvalidConnectionString,
    SimulatorAdapter,
    parse_connection_string,
)
from dcl_comms_core.simulation.settings import Simulator, parse_simulator


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("", Simulator(name="memory", identity=None, seed=0, faults=Faults())),
        ("plaza", Simulator(name="plaza", identity=None, seed=0, faults=Faults())),
        ("plaza?", Simulator(name="plaza", identity=None, seed=0, faults=Faults())),
        ("plaza?identity=bob&&seed=-7&", Simulator(name="plaza", identity="bob", seed=-7, faults=Faults())),
        ("?identity=", Simulator(name="memory", identity=None, seed=0, faults=Faults())),
        (
            "x?latency=0.5&jitter=1&loss=.25&duplicate=0&reorder=1.0&announce_every=0&notice=2&give_up=3e1",
            Simulator(
                name="x",
                identity=None,
                seed=0,
                faults=Faults(
                    latency=0.5,
                    jitter=1.0,
                    loss=0.25,
                    duplicate=0.0,
                    reorder=1.0,
                    announce_every=0.0,
                    notice=2.0,
                    give_up=30.0,
                ),
            ),
        ),
    ],
)
def test_reading(detail: str, expected: Simulator) -> None:
    adapter = parse_connection_string("simulator:" + detail)
    assert isinstance(adapter, SimulatorAdapter)
    assert parse_simulator(adapter.detail) == expected


@pytest.mark.parametrize(
    "detail", ["?colour=red", "?seed=x", "?seed", "?latency=fast", "?loss=2", "?jitter=nan", "?give_up=-1", "?Seed=1"]
)
def test_what_can_not_be_read(detail: str) -> None:
    with pytest.raises(InvalidConnectionString) as caught:
        parse_simulator(detail)
    assert caught.value.problem is ConnectionStringProblem.BAD_URL
    assert "simulator" in str(caught.value)
    assert caught.value.__context__ is None


@given(st.text() | st.text("?&=.0123456789seditylanc", max_size=40))
def test_any_text_is_read_or_refused(detail: str) -> None:
    try:
        simulator = parse_simulator(detail)
    except InvalidConnectionString:
        return
    assert simulator.name == (detail.partition("?")[0] or "memory")
