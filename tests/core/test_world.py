"""WorldSession: from a realm's URL into the right rooms, over a universe of twins and memory rooms."""

from __future__ import annotations

from typing import Any

import pytest
from world_rig import GATE, REALM, Citizen, Universe, about, said

from dcl_comms_core import (
    Backoff,
    ChatReceived,
    CloseReason,
    IslandChanged,
    PeerJoined,
    RealmOpened,
    Retry,
    RoomClosed,
    RoomOpened,
    RoomState,
    WorldClosed,
)

STEADY = Backoff(initial=1.0, factor=2.0, maximum=8.0, jitter=0.0, attempts=3)


def opened(citizen: Citizen) -> list[str]:
    return [event.room for event in citizen.take(RoomOpened)]


def test_from_a_realms_url_to_an_island_and_to_each_other() -> None:
    here = Universe()
    alice, bob = here.citizen(), here.citizen(number=2)
    here.run(5.0)
    assert [type(event) for event in alice.take(RealmOpened, IslandChanged, RoomOpened, PeerJoined)] == [
        RealmOpened,
        IslandChanged,
        RoomOpened,
        PeerJoined,
    ]
    assert alice.session.state is RoomState.OPEN
    assert alice.inside() == bob.inside() == ["I1"]
    alice.session.chat("hello")
    here.run(0.5)
    assert [event.text for event in bob.take(ChatReceived)] == ["hello"]


def test_a_walk_leads_from_island_to_island_the_new_room_first() -> None:
    here = Universe()
    alice, bob = here.citizen(), here.citizen(number=2, position=(300.0, 0.0, 0.0))
    here.run(4.0)
    assert (alice.inside(), bob.inside()) == (["I1"], ["I2"])
    bob.take()
    bob.call("move", (50.0, 0.0, 0.0))
    here.run(5.0)
    assert bob.inside() == ["I1"]
    assert [type(event) for event in bob.take(IslandChanged, RoomOpened, RoomClosed)] == [
        IslandChanged,
        RoomOpened,
        RoomClosed,
    ]
    assert bob.session.state is RoomState.OPEN


def test_a_world_asks_for_a_signature_and_gives_a_room() -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = about(f"fixed-adapter:signed-login:{REALM}/worlds/x/comms")
    here.http["POST", f"{REALM}/worlds/x/comms"] = here.login("world-x")
    alice = here.citizen()
    here.run(1.0)
    assert alice.inside() == ["world-x"]


def test_a_scenes_room_at_the_same_time() -> None:
    here = Universe()
    here.http["POST", GATE] = here.login("scene-1", key="adapter")
    alice = here.citizen(gatekeeper=GATE)
    alice.call("enter_scene", "bafk", (1, 2))
    here.run(5.0)
    assert alice.inside() == ["I1", "scene-1"]
    alice.call("leave_scene")
    here.run(1.0)
    assert alice.inside() == ["I1"]


def test_islands_may_be_ws_rooms() -> None:
    here = Universe(ws_rooms=True)
    alice, bob = here.citizen(), here.citizen(number=2)
    here.run(6.0)
    assert here.ws_room.rooms == {"I1": (alice.name, bob.name)}
    alice.session.chat("hello")
    here.run(0.5)
    assert [event.text for event in bob.take(ChatReceived)] == ["hello"]


def test_a_lost_room_is_entered_again_with_fresh_credentials() -> None:
    here = Universe()
    alice = here.citizen(reconnect=STEADY)
    here.run(4.0)
    here.rooms["I1"].delete(now=here.clock.now)
    here.run(8.0)
    # The island service forgot us for a moment.
    assert alice.inside() == ["I2"]
    assert alice.session.state is RoomState.OPEN


def test_closing_ends_everything() -> None:
    here = Universe()
    here.http["POST", GATE] = here.login("scene-1", key="adapter")
    alice = here.citizen(gatekeeper=GATE)
    alice.call("enter_scene", "bafk", (1, 2))
    here.run(5.0)
    alice.take()
    alice.call("close")
    here.run(10.0)
    assert alice.inside() == []
    events = alice.take()
    assert isinstance(events[-1], WorldClosed)
    assert events[-1].reason is CloseReason.CLIENT
    assert alice.session.state is RoomState.CLOSED
    assert alice.session.deadline() is None


@pytest.mark.parametrize(
    "adapter",
    [f"archipelago:{REALM.replace('https', 'wss')}/ws", f"signed-login:{REALM}/login", "ws-room:realm.example/rooms/x"],
)
@pytest.mark.parametrize("direct", [False, True])
def test_what_needs_a_wallet_says_so(adapter: str, direct: bool) -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = about(adapter)
    nobody = here.citizen(adapter if direct else REALM, wallet=False)
    here.run(1.0)
    assert end(nobody) == (CloseReason.NO_WALLET, Retry.NEVER)


def end(citizen: Citizen) -> tuple[CloseReason, Retry]:
    """Why it is over; nothing comes after that."""
    *_, last = citizen.take()
    assert isinstance(last, WorldClosed)
    assert citizen.session.state is RoomState.CLOSED
    assert citizen.session.deadline() is None
    return last.reason, last.retry


@pytest.mark.parametrize(
    ("answer", "reason", "retry"),
    [
        (said(403, error="User is banned from this scene"), CloseReason.BANNED, Retry.NEVER),
        (said(401, error="no access"), CloseReason.DENIED, Retry.NEVER),
        (said(200, message="no access"), CloseReason.DENIED, Retry.NEVER),
        (said(401, error="Expired signature"), CloseReason.CLOCK, Retry.FRESH_CREDENTIALS),
        (said(404), CloseReason.NOT_FOUND, Retry.NEVER),
        (said(418), CloseReason.BAD_REQUEST, Retry.NEVER),
        (said(429, {"retry-after": "60"}), CloseReason.THROTTLED, Retry.BACKOFF),
        (said(503, error="the world is full"), CloseReason.ROOM_FULL, Retry.BACKOFF),
        (said(503), CloseReason.UNREACHABLE, Retry.BACKOFF),
        ((200, {}, b"garbage"), CloseReason.PROTOCOL, Retry.BACKOFF),
        (said(fixedAdapter=f"signed-login:{REALM}/login"), CloseReason.PROTOCOL, Retry.NEVER),
    ],
)
def test_why_there_is_no_connection_string(answer: Any, reason: CloseReason, retry: Retry) -> None:
    here = Universe()
    here.http["POST", f"{REALM}/login"] = answer
    alice = here.citizen(f"signed-login:{REALM}/login", reconnect=STEADY)
    here.run(1.0)
    assert end(alice) == (reason, retry)
