"""WorldSession: what is lost is got back, with fresh credentials and pauses, unless the cause must end it."""

from __future__ import annotations

import pytest
from rigs.core.chains import identity, key
from rigs.core.sources import Mute
from rigs.core.world import GATE, LIVEKIT, LOGIN, STEADY, Citizen, Universe, end, in_a_world, news, said, settled

from dcl_comms_core import (
    Backoff,
    CloseReason,
    CredentialsNeeded,
    Faults,
    Fetch,
    IslandChanged,
    Kicked,
    Limits,
    LinkRef,
    LiveKitAdapter,
    OpenLink,
    OpenSocket,
    RealmClosed,
    Reconnected,
    Reconnecting,
    Retry,
    RoomClosed,
    RoomOpened,
    RoomState,
    SimulatorAdapter,
    SocketClosed,
    Timer,
    WarningCode,
    WorldClosed,
)
from dcl_comms_core.events import Warning as WarningEvent


def reasons(citizen: Citizen) -> list[tuple[str, int, CloseReason]]:
    return [(event.room, event.attempt, event.reason) for event in citizen.take(Reconnecting)]


# --- rooms


def test_a_world_room_that_is_deleted_is_asked_for_anew() -> None:
    here = Universe()
    alice = in_a_world(here)
    here.rooms["world"].delete(now=here.clock.now)
    here.run(0.1)
    assert (alice.session.state, alice.session.deadline_reason) == (RoomState.WAITING, Timer.SEEK)
    here.run(2.0)
    assert alice.session.state is RoomState.OPEN
    assert len(alice.asked(Fetch)) == 4
    one, other = (command.adapter.token.reveal() for command in alice.asked(OpenLink))
    assert one != other
    events = [event for event in alice.take(RoomClosed, Reconnecting, RoomOpened) if event.room == "island"]
    assert [type(event) for event in events] == [RoomClosed, Reconnecting, RoomOpened]
    alice.replays()


def test_who_fetches_fresh_credentials_asks_nobody_for_them_and_who_was_given_a_token_does() -> None:
    here = Universe()
    alice = in_a_world(here, reconnect=STEADY)
    here.rooms["world"].delete(now=here.clock.now)
    here.run(5.0)
    assert alice.session.state is RoomState.OPEN
    assert alice.take(CredentialsNeeded) == []
    bob = here.citizen(here.mint("X", identity(root=key(2)).address), number=2)
    here.run(1.0)
    here.rooms["X"].delete(now=here.clock.now)
    here.run(0.1)
    told = [(type(event), event.room) for event in bob.take(CredentialsNeeded, RoomClosed)]
    assert told == [(CredentialsNeeded, "island"), (RoomClosed, "island")]


def test_a_room_is_joined_with_its_old_token_first_and_then_with_a_fresh_one() -> None:
    here = Universe(faults=Faults(give_up=5.0))
    alice = in_a_world(here, reconnect=Backoff(jitter=0.0, attempts=8))
    here.rooms["world"].shut_down(now=here.clock.now)
    here.run(12.0)
    here.rooms["world"].restart()
    here.run(10.0)
    tokens = [command.adapter.token.reveal() for command in alice.asked(OpenLink)]
    # Three times, whatever the policy says of the whole.
    assert tokens.count(tokens[0]) == 4
    assert len(set(tokens)) == len(tokens) - 3 >= 2
    assert alice.session.state is RoomState.OPEN


def test_a_world_is_open_as_long_as_its_room_takes_what_we_say_and_again_as_soon_as_it_does() -> None:
    here = Universe()
    alice = in_a_world(here, reconnect=STEADY)
    here.rooms["world"].shut_down(now=here.clock.now)
    here.rooms["world"].restart()
    seen = [alice.session.state]
    for _ in range(300):
        here.run(0.004)
        assert (alice.session.state is RoomState.OPEN) == alice.session.sending
        if alice.session.state is not seen[-1]:
            seen.append(alice.session.state)
    # What we say waits, in the pause and while the room is joined anew.
    assert seen == [RoomState.OPEN]
    assert [event.room for event in alice.take(Reconnected)] == ["island"]


def test_a_token_that_has_expired_is_never_used() -> None:
    here = Universe(faults=Faults(give_up=400.0))
    alice = settled(here, reconnect=Backoff(jitter=0.0, attempts=10), limits=Limits(repair_seconds=500.0))
    here.rooms["I1"].partition(alice.name, now=here.clock.now)
    here.run(410.0)
    here.rooms["I1"].heal(alice.name, now=here.clock.now)
    here.run(60.0)
    # The rig looks at each token that is used; the first was spent.
    closed = [event.reason for event in alice.take(RoomClosed)]
    assert closed[0] is CloseReason.TOKEN_EXPIRED
    assert alice.session.state is RoomState.OPEN


def test_heartbeats_go_on_while_livekit_reconnects() -> None:
    here = Universe(faults=Faults(give_up=90.0))
    alice = settled(here)
    here.rooms["I1"].partition(alice.name, now=here.clock.now)
    beats = alice.session.counters["heartbeats"]
    here.run(30.0)
    assert alice.session.counters["heartbeats"] == beats + 30
    assert reasons(alice) == [("island", 0, CloseReason.NETWORK)]
    assert alice.session.state is RoomState.OPEN
    here.rooms["I1"].heal(alice.name, now=here.clock.now)
    here.run(1.0)
    assert [event.room for event in alice.take(Reconnected)] == ["island"]


@pytest.mark.parametrize("reconnect", [None, STEADY])
def test_who_is_put_out_stays_out(reconnect: Backoff | None) -> None:
    here = Universe()
    alice = settled(here, reconnect=reconnect)
    here.rooms["I1"].remove(alice.name, now=here.clock.now)
    here.run(60.0)
    assert end(alice) == (CloseReason.REMOVED, Retry.NEVER)
    assert alice.inside() == []


def test_without_a_policy_any_loss_is_the_end() -> None:
    here = Universe()
    alice = settled(here, reconnect=None)
    here.rooms["I1"].delete(now=here.clock.now)
    here.run(5.0)
    assert end(alice) == (CloseReason.ROOM_DELETED, Retry.FRESH_CREDENTIALS)


def test_a_first_attempt_is_never_repeated() -> None:
    here = Universe()
    here.down.add("livekit")
    alice = here.citizen(reconnect=STEADY)
    here.run(10.0)
    assert end(alice) == (CloseReason.UNREACHABLE, Retry.BACKOFF)
    assert len(alice.asked(OpenLink)) == 1


def test_pauses_grow_and_attempts_end() -> None:
    here = Universe()
    alice = in_a_world(here)
    here.down.add("http")
    here.rooms["world"].delete(now=here.clock.now)
    before = here.clock.now
    times = []
    while alice.session.state is not RoomState.CLOSED:
        here.run(0.25)
        for event in alice.take(Reconnecting, WorldClosed):
            times.append((type(event), round(event.at - before)))
            last = event
    assert times == [(Reconnecting, 0), (Reconnecting, 1), (Reconnecting, 3), (WorldClosed, 7)]
    assert (last.reason, last.retry) == (CloseReason.UNREACHABLE, Retry.BACKOFF)
    alice.replays()


def test_attempts_are_counted_anew_after_a_while() -> None:
    here = Universe()
    alice = in_a_world(here)
    for _ in range(5):
        here.rooms["world"].delete(now=here.clock.now)
        here.run(40.0)
        assert [attempt for _, attempt, _ in reasons(alice)] == [1]
    for attempt in (1, 2, 3):
        here.rooms["world"].delete(now=here.clock.now)
        here.run(10.0)
        assert [number for _, number, _ in reasons(alice)] == [attempt]
    here.rooms["world"].delete(now=here.clock.now)
    here.run(10.0)
    assert end(alice) == (CloseReason.ROOM_DELETED, Retry.FRESH_CREDENTIALS)


def test_a_server_may_ask_for_a_longer_pause() -> None:
    here = Universe()
    alice = in_a_world(here)
    here.http["POST", LOGIN] = said(429, {"retry-after": "30"})
    here.rooms["world"].delete(now=here.clock.now)
    here.run(1.5)
    assert [reason for _, _, reason in reasons(alice)] == [CloseReason.ROOM_DELETED, CloseReason.THROTTLED]
    here.http["POST", LOGIN] = here.login("world")
    here.run(29.0)
    assert alice.session.state is RoomState.WAITING
    here.run(2.0)
    assert alice.session.state is RoomState.OPEN


def test_a_ban_on_the_way_back_is_the_end() -> None:
    here = Universe()
    alice = in_a_world(here)
    here.http["POST", LOGIN] = said(403, error="You are banned")
    here.rooms["world"].delete(now=here.clock.now)
    here.run(30.0)
    assert end(alice) == (CloseReason.BANNED, Retry.NEVER)


# --- the island service


def test_the_same_wallet_elsewhere_ends_the_older_one_and_only_that() -> None:
    here = Universe()
    alice = settled(here)
    again = here.citizen(reconnect=STEADY)
    here.run(60.0)
    assert end(alice) == (CloseReason.DUPLICATE_IDENTITY, Retry.NEVER)
    assert again.session.state is RoomState.OPEN


def test_a_ban_by_the_island_service() -> None:
    here = Universe()
    alice = here.visitor(reconnect=STEADY)
    here.banned.add(alice.name)
    alice.call("open")
    here.run(60.0)
    assert end(alice) == (CloseReason.BANNED, Retry.NEVER)
    assert len(alice.asked(OpenSocket)) == 1


def test_a_socket_that_breaks_leaves_the_room_alone() -> None:
    here = Universe()
    alice = settled(here)
    here.cut(alice)
    here.run(10.0)
    assert alice.session.state is RoomState.OPEN
    assert ("realm", 1, CloseReason.NETWORK) in reasons(alice)
    assert alice.inside() == ["I2"]
    alice.replays()


def no_island(citizen: Citizen) -> int:
    return sum(warning.code is WarningCode.NO_ISLAND for warning in citizen.take(WarningEvent))


def test_a_service_that_is_back_and_names_no_island_is_no_news_while_the_last_ones_room_is_open() -> None:
    here = Mute()
    alice = settled(here)
    here.mum = True
    here.cut(alice)
    here.run(30.0)
    assert alice.inside() == ["I1"]
    assert no_island(alice) == 0
    # Once that room is lost too there is something to say.
    here.rooms["I1"].delete(now=here.clock.now)
    here.run(30.0)
    assert alice.inside() == []
    assert no_island(alice) > 0
    alice.replays()


def test_a_service_that_never_names_an_island_is_told_of() -> None:
    here = Mute()
    here.mum = True
    alice = here.citizen(reconnect=STEADY)
    here.run(12.0)
    assert no_island(alice) == 1


def test_an_island_service_that_stays_away_is_looked_for_at_the_realm() -> None:
    here = Universe()
    alice = settled(here)
    here.down.add("archipelago")
    here.cut(alice)
    here.run(120.0)
    assert {event.reason for event in alice.take(RealmClosed)} == {CloseReason.UNREACHABLE}
    # We are in a room, so the search does not end.
    assert alice.session.counters["returns"] > STEADY.attempts
    assert (alice.session.state, alice.inside()) == (RoomState.OPEN, ["I1"])
    here.down.clear()
    here.run(12.0)
    assert alice.session.state is RoomState.OPEN
    assert len(alice.asked(Fetch)) >= 2
    alice.replays()


def test_an_island_whose_room_can_not_be_entered_is_asked_for_again() -> None:
    here = Universe()
    settled(here)
    bob = settled(here, number=2, position=(200.0, 0.0, 0.0))
    here.down.add("livekit")
    bob.call("set_position", (10.0, 0.0, 0.0))
    here.run(3.0)
    assert (bob.inside(), bob.session.state) == (["I2"], RoomState.OPEN)
    assert reasons(bob)[:1] == [("island", 1, CloseReason.UNREACHABLE)]
    here.down.clear()
    here.run(8.0)
    assert bob.inside() == ["I1"]
    bob.replays()


def test_islands_without_end_the_newest_counts() -> None:
    here = Universe()
    alice = settled(here)
    for number in range(60):
        news(alice, f"X{number}", here.mint(f"X{number}", alice.name))
        rooms = alice.session.rooms.values()
        assert len(rooms) <= 3
        assert sum(room.joining for room in rooms) == 1
    here.run(15.0)
    assert alice.inside() == ["X59"]
    assert len(alice.asked(OpenLink)) == 3
    assert alice.session.counters["islands"] == 61
    alice.replays()


def test_the_same_room_again_changes_nothing() -> None:
    here = Universe()
    alice = settled(here)
    asked = len(alice.asked(OpenLink))
    for island in ("I1", "I1", "another name"):
        news(alice, island, here.mint("I1", alice.name))
    here.run(1.0)
    assert len(alice.asked(OpenLink)) == asked
    assert len(alice.take(IslandChanged)) == 3


@pytest.mark.parametrize("connection", ["offline:offline", f"signed-login:{LOGIN}", "archipelago:h", "nonsense"])
def test_an_island_that_is_no_room(connection: str) -> None:
    here = Universe()
    alice = settled(here)
    news(alice, "X", connection)
    assert [event.code for event in alice.take(WarningEvent)] == [WarningCode.ISLAND_UNREADABLE]
    assert alice.inside() == ["I1"]


def test_an_island_that_a_public_realm_may_not_name() -> None:
    here = Universe()
    alice = settled(here)
    news(alice, "X", here.mint("X", alice.name).replace(LIVEKIT, "ws://127.0.0.1:1"))
    here.run(10.0)
    assert end(alice) == (CloseReason.FORBIDDEN, Retry.NEVER)


def test_a_spent_token_of_an_island() -> None:
    here = Universe()
    alice = settled(here)
    news(alice, "X", here.mint("X", alice.name, ttl=-10.0))
    here.run(0.1)
    assert reasons(alice) == [("island", 1, CloseReason.TOKEN_EXPIRED)]
    here.run(5.0)
    assert alice.session.state is RoomState.OPEN


def test_islands_that_are_ws_rooms_are_left_before_the_next_is_joined() -> None:
    here = Universe(ws_rooms=True)
    alice = settled(here)
    bob = here.citizen(number=2, position=(300.0, 0.0, 0.0), reconnect=STEADY)
    here.run(5.0)
    assert here.ws_room.rooms == {"I1": (alice.name,), "I2": (bob.name,)}
    bob.call("set_position", (10.0, 0.0, 0.0))
    here.run(8.0)
    assert here.ws_room.rooms == {"I1": (alice.name, bob.name)}
    assert bob.take(Kicked) == []
    assert bob.session.state is RoomState.OPEN
    bob.replays()


def test_news_while_we_wait_for_the_next_search() -> None:
    here = Universe()
    alice = settled(here)
    here.down.add("livekit")
    news(alice, "X", here.mint("X", alice.name))
    here.run(0.1)
    here.down.clear()
    news(alice, "Y", here.mint("Y", alice.name))
    here.run(5.0)
    assert alice.inside() == ["Y"]
    assert len(alice.asked(OpenSocket)) == 1


def test_an_island_service_that_ends_while_we_wait_is_looked_for_then() -> None:
    here = Universe()
    alice = settled(here)
    here.down.add("livekit")
    here.rooms["I1"].delete(now=here.clock.now)
    here.down.add("archipelago")
    here.cut(alice)
    here.run(0.5)
    assert alice.session.state is RoomState.WAITING
    here.down.clear()
    here.run(20.0)
    assert alice.session.state is RoomState.OPEN


def test_an_island_service_that_ends_while_a_pause_goes_on_does_not_make_it_longer() -> None:
    here = Universe()
    alice = settled(here)
    alice.signs = False
    here.cut(alice)
    here.run(1.5)
    here.rooms["I1"].delete(now=here.clock.now)
    here.run(0.1)
    due = alice.session.deadline()
    (link,) = alice.sockets
    alice.tell(SocketClosed(link=link, reason=CloseReason.NETWORK, code=1005))
    assert [event.reason for event in alice.take(RealmClosed)] == [CloseReason.NOT_SIGNED]
    assert alice.session.deadline() == due
    alice.signs = True
    here.run(6.0)
    assert alice.session.state is RoomState.OPEN


def test_the_service_refuses_the_second_handshake() -> None:
    here = Universe()
    alice = settled(here)
    here.rooms["I1"].delete(now=here.clock.now)
    here.run(1.05)
    (link,) = alice.sockets
    alice.tell(SocketClosed(link=link, reason=CloseReason.NETWORK, code=1005))
    here.run(20.0)
    assert alice.session.state is RoomState.OPEN


def test_where_it_goes_says_the_adapter() -> None:
    here = Universe()
    alice = settled(here)
    (room,) = alice.session.rooms.values()
    assert isinstance(room.adapter, LiveKitAdapter)
    assert alice.session.rooms_of(next(iter(alice.session.peers), room.identity)) == ()


def test_a_scene_may_be_the_first_that_hears_of_the_other_login() -> None:
    here = Universe()
    here.http["POST", GATE] = here.login("scene", key="adapter")
    alice = settled(here, gatekeeper=GATE)
    alice.call("enter_scene", "bafk", (0, 0))
    here.run(1.0)
    other = here.room("scene").port(alice.name)
    other.execute(OpenLink(link=LinkRef(1, 1), adapter=SimulatorAdapter("scene")), now=here.clock.now)
    other.inputs(here.clock.now + 1.0)
    here.run(60.0)
    assert end(alice) == (CloseReason.DUPLICATE_IDENTITY, Retry.NEVER)


def test_pauses_differ_from_one_to_the_other_and_are_the_same_for_the_same_entropy() -> None:
    dues = []
    for entropy in (1, 2, 1):
        here = Universe()
        alice = in_a_world(here, reconnect=Backoff(jitter=1.0), entropy=entropy)
        here.rooms["world"].delete(now=here.clock.now)
        alice.turn()
        here.run(0.0)
        while alice.session.state is RoomState.OPEN:
            here.run(0.001)
        dues.append(alice.session.deadline())
    assert dues[0] == dues[2] != dues[1]


def test_who_is_put_out_while_on_the_way_to_the_next_island_is_out() -> None:
    here = Universe()
    alice = settled(here)
    here.down.add("livekit")
    here.later = lambda what, seconds=5.0: Universe.later(here, what, seconds)  # type: ignore[method-assign]  # slow
    news(alice, "X", here.mint("X", alice.name))
    here.rooms["I1"].remove(alice.name, now=here.clock.now)
    here.run(60.0)
    assert end(alice) == (CloseReason.REMOVED, Retry.NEVER)
