"""Whatever players do, everybody knows in the end who is around, where, and what they do; nothing else raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.pulse_server import PulseNet, Walker, at, kind

from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.parcels import parcel_of
from dcl_comms_core.servers.pulse import PulseSettings
from dcl_comms_core.servers.pulse.cells import Cells
from dcl_comms_core.servers.pulse.fields import codes_of
from dcl_comms_core.servers.pulse.subjects import Subject

PARCELS = [(0, 0), (1, 0), (3, 0), (8, 0), (12, 0), (13, 0), (40, 0)]
REALMS = ["main", "w.dcl.eth"]
PLENTY = PulseSettings(address_players=1_000, input_burst=255, event_burst=255, cooling_seconds=1.0)


class Eyes:
    """What a client knows, by the rules that clients have."""

    def __init__(self) -> None:
        self.seen: dict[int, dict[str, Any]] = {}

    def take(self, message: pulse.ServerMessage) -> None:
        content = getattr(message, kind(message))
        if message.player_joined is not None:
            full = content.state
            assert full.subject_id not in self.seen, "who is there has not joined"
            self.seen[full.subject_id] = {
                "wallet": content.user_id,
                "seq": full.sequence,
                "state": full.state,
                "emote": None,
                "profile": content.profile_version,
            }
            return
        if message.handshake is not None:
            return
        known = self.seen[content.subject_id]
        if message.player_left is not None:
            del self.seen[content.subject_id]
        elif message.player_profile_version_announced is not None:
            known["profile"] = content.version
        elif message.player_state_delta is not None:
            assert content.baseline_seq == known["seq"], "nothing was lost, so nothing is missing"
            for name in known["state"].__dataclass_fields__:
                if getattr(content, name) is not None:
                    setattr(known["state"], name, getattr(content, name))
            known["seq"] = content.new_seq
        else:
            state = content.state if hasattr(content, "state") else content.player_state
            if content.sequence >= known["seq"]:
                known["seq"], known["state"] = content.sequence, state
            if message.emote_started is not None:
                known["emote"] = content.emote_id
            elif message.emote_stopped is not None:
                assert known["emote"] is not None
                known["emote"] = None


def metres(state: pulse.PlayerState) -> tuple[float, float]:
    x, z = parcel_of(state.parcel_index)
    return x * 16 + state.position_x * 16 / 255, z * 16 + state.position_z * 16 / 255


DEEDS = st.one_of(
    st.tuples(st.just("teleport"), st.sampled_from(PARCELS), st.sampled_from(REALMS)),
    st.tuples(st.just("move"), st.sampled_from(PARCELS), st.integers(0, 255)),
    st.tuples(st.just("emote"), st.sampled_from(PARCELS), st.sampled_from([None, 0, 300])),
    st.tuples(st.just("stop")),
    st.tuples(st.just("profile"), st.integers(-1, 3)),
    st.tuples(st.just("resync"), st.integers(0, 6)),
    st.tuples(st.just("again")),
    *[st.tuples(st.just("wait"), st.sampled_from([0.0, 0.02, 0.05, 0.3, 4.5]))] * 3,
)


def do(net: PulseNet, walkers: list[Walker], eyes: list[Eyes], who: int, deed: tuple[Any, ...]) -> None:
    walker = walkers[who]
    name, *how = deed
    if name == "teleport":
        walker.teleport(*how)
    elif name == "move":
        walker.move(how[0], position_x=how[1])
    elif name == "emote":
        state = at(how[0], position_x=5)
        walker.say(emote_start=pulse.EmoteStart(emote_id="wave", player_state=state, duration_ms=how[1]))
    elif name == "stop":
        walker.say(emote_stop=pulse.EmoteStop())
    elif name == "profile":
        walker.say(profile_announcement=pulse.ProfileVersionAnnouncement(version=how[0]))
    elif name == "resync":
        walker.say(resync=pulse.ResyncRequest(subject_id=how[0]))
    elif name == "again":
        walkers[who], eyes[who] = net.welcomed(who, phone=net.millis % 7), Eyes()
    else:
        net.run(how[0])


@settings(max_examples=60, deadline=None)
@given(deeds=st.lists(st.tuples(st.integers(0, 2), DEEDS), min_size=15, max_size=50))
def test_everybody_knows_who_is_around(deeds: list[tuple[int, tuple[Any, ...]]]) -> None:
    net = PulseNet(settings=PLENTY, delay=(0.0, 0.0))
    walkers = [net.welcomed(number) for number in range(3)]
    eyes = [Eyes() for _ in walkers]
    for walker in walkers:
        walker.teleport()
    for who, deed in deeds:
        do(net, walkers, eyes, who, deed)
        for walker, eye in zip(walkers, eyes, strict=True):
            for message in walker.heard():
                eye.take(message)
    net.run(6.0)
    players = {player.wallet: player for player in net.server.players()}
    for walker, eye in zip(walkers, eyes, strict=True):
        assert walker.ended is None
        for message in walker.heard():
            eye.take(message)
        me = players[walker.wallet]
        around = {
            other.wallet
            for other in players.values()
            if other is not me
            and me.realm == other.realm is not None
            and (me.position[0] - other.position[0]) ** 2 + (me.position[2] - other.position[2]) ** 2 <= 200.0**2
        }
        assert {known["wallet"] for known in eye.seen.values()} == around
        for number, known in eye.seen.items():
            other = players[known["wallet"]]
            assert number == other.subject
            assert metres(known["state"]) == pytest.approx((other.position[0], other.position[2]), abs=0.01)
            assert (known["emote"], known["profile"]) == (other.emote, other.profile)


SCALARS = st.one_of(st.integers(0, 2**32 - 1), st.integers(0, 300))
STATES = st.one_of(
    st.none(),
    st.builds(
        pulse.PlayerState,
        parcel_index=st.integers(-1, 99_600),
        position_x=SCALARS,
        position_y=SCALARS,
        velocity_x=SCALARS,
        head_yaw=st.one_of(st.none(), SCALARS),
        point_at_x=st.one_of(st.none(), SCALARS),
        state_flags=SCALARS,
    ),
)
TEXTS = st.sampled_from(["", "main", "MAIN", "x" * 300, "\U0001d11e" * 200, "\0"])
AREAS = st.lists(
    st.builds(
        pulse.SceneListenerAoi,
        realm=TEXTS,
        parcel_rects=st.lists(
            st.builds(pulse.ParcelRect, *[st.integers(-(2**31), 2**31 - 1) | st.integers(-5, 5)] * 4)
        ),
    ),
    max_size=4,
)
SAYINGS = st.one_of(
    st.builds(lambda state: {"input": pulse.PlayerStateInput(state=state)}, STATES),
    st.builds(
        lambda state, text, ms: {
            "emote_start": pulse.EmoteStart(emote_id=text, player_state=state, duration_ms=ms, mask=-1)
        },
        STATES,
        TEXTS,
        st.one_of(st.none(), SCALARS),
    ),
    st.builds(
        lambda place, text: {"teleport": pulse.TeleportRequest(parcel_index=place, realm=text)},
        st.integers(-1, 99_600),
        TEXTS,
    ),
    st.builds(lambda areas: {"scene_listener_update": pulse.SceneListenerUpdate(aoi=areas)}, AREAS),
    st.builds(
        lambda areas, chain: {
            "scene_listener_handshake": pulse.SceneListenerHandshakeRequest(auth_chain=chain, aoi=areas)
        },
        AREAS,
        st.binary(max_size=60),
    ),
    st.builds(lambda number: {"resync": pulse.ResyncRequest(subject_id=number, known_seq=number)}, SCALARS),
    st.builds(
        lambda state, text, chain: {
            "handshake": pulse.HandshakeRequest(
                auth_chain=chain, initial_state=pulse.PlayerInitialState(state=state, realm=text, emote_id=text)
            )
        },
        STATES,
        TEXTS,
        st.one_of(st.just(b""), st.just(b"{}"), st.binary(max_size=60)),
    ),
    st.just({}),
)


@settings(max_examples=150, deadline=None)
@given(
    said=st.lists(st.one_of(SAYINGS, st.binary(max_size=200)), max_size=20),
    role=st.sampled_from(["stranger", "player", "listener"]),
    raw=st.lists(st.binary(max_size=100), max_size=5),
)
def test_nothing_that_comes_raises(said: list[Any], role: str, raw: list[bytes]) -> None:
    net = PulseNet(delay=(0.0, 0.0))
    watcher, walker = net.placed(0), net.walker(1)
    if role == "player":
        walker.shake()
    elif role == "listener":
        walker.listen(("main", (0, 0, 3, 3)))
    net.run(0.1)
    for one in said:
        if walker.ended is not None:
            break
        if isinstance(one, bytes):
            walker.party.client.send(one)
        else:
            walker.say(**one)
        net.run(0.02)
    for datagram in raw:
        net.server.receive(datagram, walker.party.address, now=net.now)
    net.run(12.0)
    assert watcher.ended is None
    if walker.ended is not None:
        # Nothing is left of who is let go: the watcher alone has a time.
        assert [player.wallet for player in net.server.players()] == [watcher.wallet]
    assert net.server.deadline() is not None


def test_who_is_far_off_is_not_even_looked_at() -> None:
    cells = Cells(100.0)
    for number in range(300):
        nobody: Any = None
        subject = Subject(number, str(number), "s", nobody)
        codes = codes_of(at((number - 150, (number * 7) % 300 - 150)))
        assert codes is not None
        subject.move(codes, 0, f"realm-{number % 3}")
        cells.put(subject)
    looked_at = [len(list(cells.within("realm-0", (x, 0), (x + 4, 4)))) for x in range(-20, 20)]
    assert max(looked_at) < 10
    assert len(list(cells.all())) == 300
