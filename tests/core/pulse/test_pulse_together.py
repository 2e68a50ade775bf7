"""Sessions and a server of ours together: who sees whom, over a network that loses, and that no rule is ever broken."""

from __future__ import annotations

import pytest
from rigs.core.pulse_world import PulseWorld

from dcl_comms_core import (
    Backoff,
    CloseReason,
    PeerEmoted,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    ProfileAnnounced,
    Reconnected,
    RoomClosed,
    RoomOpened,
    ScenesOnly,
    encode,
)
from dcl_comms_core.proto import rfc4
from dcl_comms_core.pulse.reasons import DisconnectReason
from dcl_comms_core.states import PulseState

SOON = Backoff(initial=0.5, factor=1.0, jitter=0.0)


def ended(world: PulseWorld) -> dict[str, int]:
    """Why the server hung up on anybody."""
    return {name: count for name, count in world.server.counters.items() if name.startswith(("ended.", "refused."))}


def test_two_see_each_other_walk_jump_emote_and_leave() -> None:
    world = PulseWorld()
    one, two = world.client(1), world.client(2, x=20.0)
    world.run(2.0)
    assert one.near.keys() == {two.name}
    assert two.near.keys() == {one.name}
    for step in range(20):
        one.walk(8.0 + step, 8.0, velocity_x=5.0, rotation_y=90.0)
        world.run(0.1)
    world.run(0.5)
    assert two.near[one.name] == pytest.approx((27.0, 0.0, 8.0), abs=0.05)
    last = two.told(PeerMoved)[-1]
    assert (last.yaw, last.message.is_grounded) == (pytest.approx(90.0, abs=1.5), True)
    assert len(two.told(PeerMoved)) >= 15
    one.walk(200.0, 8.0, is_instant=True)
    world.run(0.5)
    jumps = [event for event in two.told(PeerMoved) if event.message.is_instant]
    assert jumps[-1].position == pytest.approx((200.0, 0.0, 8.0), abs=0.05)
    one.session.show_emote(rfc4.PlayerEmote(urn="urn:wave", mask=1), 1.0, now=world.now)
    world.run(3.0)
    began, over = two.told(PeerEmoted)
    assert (began.urn, began.stopping, began.message.mask, over.stopping, over.finished) == (
        "urn:wave",
        False,
        1,
        True,
        True,
    )
    version = rfc4.Packet(profile_version=rfc4.AnnounceProfileVersion(profile_version=7))
    one.session.send_bytes(encode(version), now=world.now)
    world.run(0.5)
    assert [event.version for event in two.told(ProfileAnnounced)] == [7]
    one.session.close(now=world.now)
    world.run(6.0)
    assert (two.near, ended(world)) == ({}, {})
    assert one.told(RoomClosed)[0].reason is CloseReason.CLIENT


def test_realms_are_worlds_apart_and_case_is_none() -> None:
    world = PulseWorld()
    one, two = world.client(1, realm="Main"), world.client(2, realm="boedo.dcl.eth")
    world.run(2.0)
    assert (one.near, two.near) == ({}, {})
    two.session.set_realm("MAIN", now=world.now)
    world.run(1.0)
    assert (set(one.near), set(two.near)) == ({two.name}, {one.name})
    one.session.set_realm("boedo.dcl.eth", now=world.now)
    world.run(10.0)
    assert (one.near, two.near) == ({}, {})


def test_a_listener_sees_its_parcels_and_nobody_sees_it() -> None:
    world = PulseWorld()
    player = world.client(1, x=8.0)
    watcher = world.client(2, scenes=ScenesOnly((0, 0, 1, 1)))
    world.run(2.0)
    assert (set(watcher.near), player.near) == ({player.name}, {})
    player.walk(100.0, 100.0, is_instant=True)
    world.run(8.0)
    assert watcher.near == {}
    watcher.session.set_areas(ScenesOnly((6, 6)), now=world.now)
    world.run(2.0)
    assert set(watcher.near) == {player.name}
    assert ended(world) == {}


def test_a_second_login_of_a_wallet_ends_the_first_for_good() -> None:
    world = PulseWorld()
    first = world.client(1)
    world.run(1.0)
    second = world.client(1)
    world.run(60.0)
    (closed,) = first.told(RoomClosed)
    assert (closed.reason, second.session.state) == (CloseReason.DUPLICATE_IDENTITY, PulseState.OPEN)


def test_who_is_banned_is_told_so_and_stays_out() -> None:
    world = PulseWorld()
    one = world.client(1)
    world.run(1.0)
    world.server.ban(one.name, now=world.now)
    world.run(1.0)
    assert one.told(RoomClosed)[0].reason is CloseReason.BANNED
    again = world.client(1)
    world.run(5.0)
    assert (again.told(RoomClosed)[0].reason, again.told(RoomOpened)) == (CloseReason.BANNED, [])


def test_a_server_that_is_killed_and_begins_anew_has_everybody_back() -> None:
    world = PulseWorld()
    clients = [world.client(number, x=8.0 + number, reconnect=SOON) for number in range(1, 5)]
    world.run(2.0)
    world.restart()
    world.run(30.0)
    for client in clients:
        assert len(client.told(Reconnected)) == 1
        assert client.near.keys() == {other.name for other in clients if other is not client}
        assert (len(client.told(PeerJoined)), len(client.told(PeerLeft))) == (6, 3)
        assert client.told(RoomClosed) == []


@pytest.mark.parametrize("seed", range(3))
def test_after_any_losses_everybody_is_seen_where_they_are(seed: int) -> None:
    world = PulseWorld(seed=seed, loss=0.3)
    clients = [world.client(number, x=8.0 + number, reconnect=SOON) for number in range(1, 4)]
    world.run(10.0)
    places = {}
    for step in range(100):
        for client in clients:
            x, z = 8.0 + world.random.uniform(0.0, 20.0), 8.0 + world.random.uniform(0.0, 20.0)
            client.walk(x, z, is_instant=step % 37 == 5)
            places[client.name] = (x, 0.0, z)
        world.run(0.1)
    # Of who stands still nothing more is told: what was lost shows at the next step.
    world.loss = 0.0
    for client in clients:
        x, _, z = places[client.name]
        places[client.name] = (x + 1.0, 0.0, z)
        client.walk(x + 1.0, z)
    world.run(3.0)
    for client in clients:
        expected = {name: pytest.approx(place, abs=0.05) for name, place in places.items() if name != client.name}
        assert client.near == expected
    assert ended(world) == {}


RULES = {f"ended.{reason.name.lower()}" for reason in DisconnectReason if reason in range(9, 17) or reason == 19}


@pytest.mark.parametrize("seed", range(4))
def test_no_rule_of_the_servers_is_ever_broken(seed: int) -> None:
    """Whatever an application does, as fast as it likes."""
    world = PulseWorld(seed=seed, loss=0.1 if seed % 2 else 0.0)
    random = world.random
    player, watcher = world.client(1, reconnect=SOON), world.client(2, scenes=ScenesOnly((0, 0)), reconnect=SOON)

    def movement() -> rfc4.Movement:
        wild = random.random() < 0.2
        number = (
            random.choice((1e30, -1e30, 3_000.0, -3_000.0, float("inf"), float("nan")))
            if wild
            else random.uniform(-50, 50)
        )
        return rfc4.Movement(
            position_x=number,
            position_y=random.choice((0.0, -5.0, 500.0)),
            position_z=random.uniform(-50, 50),
            velocity_x=random.choice((0.0, 1e9)),
            rotation_y=random.choice((-720.0, 359.99, 1e8)),
            movement_blend_value=random.choice((-1.0, 9.0)),
            jump_count=random.choice((-1, 0, 2**31 - 1)),
            head_ik_yaw_enabled=True,
            head_yaw=random.choice((-1.0, 1e9)),
            is_pointing_at=True,
            point_at_x=random.choice((-1e9, 1e9)),
            is_instant=random.random() < 0.3,
        )

    for _ in range(600):
        what = random.randrange(8)
        now = world.now
        if what < 3:
            player.session.send_bytes(encode(rfc4.Packet(movement=movement())), now=now)
        elif what == 3:
            urn = random.choice(("", "wave", "urn:" + "x" * 250))
            emote = rfc4.PlayerEmote(urn=urn, is_stopping=random.random() < 0.3, mask=random.choice((None, 0, 2**31)))
            player.session.show_emote(emote, random.choice((None, 0.1, 1e9)), now=now)
        elif what == 4:
            player.session.set_realm(random.choice(("main", "x" * 300, "\U0001f600" * 127, None)), now=now)
        elif what == 5:
            version = rfc4.AnnounceProfileVersion(profile_version=random.choice((0, 1, 2**31 - 1)))
            player.session.send_bytes(encode(rfc4.Packet(profile_version=version)), now=now)
        elif what == 6:
            watcher.session.set_areas(ScenesOnly((random.randrange(-150, 150), 0)), now=now)
        else:
            world.run(random.choice((0.0, 0.001, 0.05, 1.0)))
    world.run(5.0)
    assert not RULES & ended(world).keys()
    assert (player.session.state, watcher.session.state) == (PulseState.OPEN, PulseState.OPEN)
