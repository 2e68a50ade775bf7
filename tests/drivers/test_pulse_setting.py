"""``pulse=``: the default, what it is in the session of a realm, and what a room does not know."""

from __future__ import annotations

from typing import Any

import pytest
from dcl_comms_drivers.connection.opening import new_session
from dcl_comms_drivers.settings import Options
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import RoomSession, ScenesOnly, WorldSession
from dcl_comms_core.adapters.targets import parse_target

WATCHED = ScenesOnly((0, 0, 1, 1), realm="main")


def made(target: str, **settings: Any) -> tuple[Any, dict[str, Any]]:
    """What session is made of which arguments."""
    calls: list[tuple[Any, dict[str, Any]]] = []

    def new(cls: Any, *args: Any, **named: Any) -> Any:
        calls.append((cls, named))
        return cls(*args, **named)

    new_session(parse_target(target), Options.of({"wallet": DisposableWallet(), **settings}), new, entropy=0)  # type: ignore[typeddict-item]
    return calls[0]


@pytest.mark.parametrize(
    ("settings", "pulse"),
    [({}, "auto"), ({"pulse": None}, None), ({"pulse": "h:1"}, "h:1"), ({"pulse": WATCHED}, WATCHED)],
)
def test_a_realms_session_is_told(settings: dict[str, Any], pulse: object) -> None:
    cls, named = made("https://realm.example", **settings)
    assert (cls, named["pulse"]) == (WorldSession, pulse)


def test_one_room_has_nothing_to_do_with_it() -> None:
    cls, named = made("simulator:plaza", pulse="h:1")
    assert cls is RoomSession
    assert "pulse" not in named
