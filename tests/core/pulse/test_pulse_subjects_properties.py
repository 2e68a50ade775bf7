"""The last state is the same whatever was lost, late or in another order: a service in a few lines, and a network between.

What is reliable comes in order, on a channel of its own; of the lossy channel a part is lost, and of what overtakes the
older is dropped, as ENet does it.  Requests may be forgotten.  At the end everybody moves once more, in quiet.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.pulse import Delta, Full, State

from dcl_comms_core import events as ev
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.peers import PeerId
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.state import to_movement
from dcl_comms_core.pulse.subjects import Subjects
from dcl_comms_core.testing.strategies import messages

if TYPE_CHECKING:
    from collections.abc import Callable

WALLETS = [f"0x{n:040x}" for n in range(3)]
FIELDS = [
    "parcel_index",
    "position_x",
    "position_y",
    "position_z",
    "velocity_z",
    "rotation_y",
    "state_flags",
    "head_yaw",
    "jump_count",
]


class Player:
    """Somebody, as the service knows it."""

    def __init__(self, number: int, wallet: str) -> None:
        self.number = number
        self.wallet = wallet
        self.sequence = 0
        self.state = State(48488, 1, 0, 1, state_flags=1)
        self.sent: tuple[int, pulse.PlayerState] | None = None
        """What the observer was told last."""
        self.emote: str | None = None


class Service:
    """Tells one observer of everybody, and forgets what it is told to forget."""

    def __init__(self) -> None:
        self.reliable: deque[pulse.ServerMessage] = deque()
        self.lossy: list[pulse.ServerMessage] = []
        self.players: dict[int, Player] = {}
        self.tick = 0

    def say(self, **message: Any) -> None:
        self.reliable.append(pulse.ServerMessage(**message))

    def copy(self, state: pulse.PlayerState) -> pulse.PlayerState:
        return pulse.PlayerState(*(getattr(state, name) for name in state.__dataclass_fields__))

    def full(self, player: Player) -> pulse.PlayerStateFull:
        player.sent = player.sequence, self.copy(player.state)
        return Full(player.number, player.sequence, self.tick, self.copy(player.state))

    def join(self, number: int, wallet: str) -> None:
        if number in self.players:
            return
        player = self.players[number] = Player(number, wallet)
        self.say(player_joined=pulse.PlayerJoined(wallet, 0, self.full(player), "main"))

    def leave(self, number: int) -> None:
        if self.players.pop(number, None) is not None:
            self.say(player_left=pulse.PlayerLeft(number))
            # A number is not used again while anything of its last owner is under way.
            self.lossy = [one for one in self.lossy if one.player_state_delta.subject_id != number]  # type: ignore[union-attr]

    def lose(self) -> None:
        self.lossy.clear()

    def move(self, number: int, field: str, value: int) -> None:
        player = self.players.get(number)
        if player is not None:
            setattr(player.state, field, value)
            player.sequence += 1

    def tell(self) -> None:
        """A tick: what differs."""
        self.tick += 50
        for player in self.players.values():
            assert player.sent is not None
            baseline, state = player.sent
            if baseline == player.sequence:
                continue
            changed = {
                name: getattr(player.state, name)
                for name in FIELDS
                if getattr(player.state, name) != getattr(state, name)
            }
            player.sent = player.sequence, self.copy(player.state)
            delta = Delta(player.number, baseline, player.sequence, self.tick, **changed)
            self.lossy.append(pulse.ServerMessage(player_state_delta=delta))

    def emote(self, number: int, urn: str | None, *, jumps: bool) -> None:
        """Start or stop one; with a jump in the same tick, which is told first although it is later."""
        player = self.players.get(number)
        if player is None or (urn is None and player.emote is None):
            return
        player.sequence += 1
        sequence, state = player.sequence, self.copy(player.state)
        if jumps:
            player.state.position_x = 7
            player.sequence += 1
            full = self.full(player)
            self.say(teleported=pulse.TeleportPerformed(number, full.sequence, self.tick, full.state, "main"))
        else:
            player.sent = sequence, self.copy(state)
        player.emote = urn
        if urn is None:
            reason = pulse.EmoteStopReason.CANCELLED
            self.say(emote_stopped=pulse.EmoteStopped(number, self.tick, reason, sequence, state))
        else:
            self.say(emote_started=pulse.EmoteStarted(number, sequence, self.tick, urn, state))

    def resync(self, request: pulse.ResyncRequest) -> None:
        player = self.players.get(request.subject_id)
        if player is not None:
            self.say(player_state_full=self.full(player))


class Observer:
    """Subjects, and who an application thinks is where."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.subjects = Subjects(DEFAULT_LIMITS)
        self.subjects.set_realm("main", 0.0)
        self.now = 1.0
        self.there: dict[PeerId, Any] = {}
        self.emoting: set[PeerId] = set()

    def hear(self, message: pulse.ServerMessage) -> None:
        for event in self.subjects.take(message, self.now):
            if isinstance(event, ev.PeerJoined):
                assert event.sender not in self.there
                self.there[event.sender] = None
            elif isinstance(event, ev.PeerLeft):
                del self.there[event.sender]
                self.emoting.discard(event.sender)
            elif isinstance(event, ev.PeerMoved):
                assert event.sender in self.there
                self.there[event.sender] = event.message
            elif isinstance(event, ev.PeerEmoted):
                assert event.sender is not None
                (self.emoting.discard if event.stopping else self.emoting.add)(event.sender)
            else:
                raise TypeError(event)

    def ask(self, *, lost: bool) -> None:
        for request in self.subjects.resyncs(self.now):
            if not lost:
                self.service.resync(request)

    def hear_all(self) -> None:
        while self.service.reliable:
            self.hear(self.service.reliable.popleft())
        for message in self.service.lossy:
            self.hear(message)
        self.service.lossy.clear()


NUMBERS = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("join"), NUMBERS, st.sampled_from(WALLETS)),
    st.tuples(st.just("leave"), NUMBERS),
    st.tuples(st.just("move"), NUMBERS, st.sampled_from(FIELDS[1:]), st.integers(0, 31)),
    st.tuples(st.just("parcel"), NUMBERS, st.sampled_from([48488, 48489, 0])),
    st.tuples(st.just("tick")),
    st.tuples(st.just("emote"), NUMBERS, st.sampled_from(["wave", "dance", None]), st.booleans()),
    st.tuples(st.just("reliable"), st.integers(1, 3)),
    st.tuples(st.just("lossy"), st.integers(0, 3)),
    st.tuples(st.just("lose")),
    st.tuples(st.just("ask"), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0])),
)


def play(service: Service, observer: Observer, step: tuple[Any, ...]) -> None:
    def emote(number: int, urn: str | None, jumps: bool) -> None:
        service.emote(number, urn, jumps=jumps)

    def reliable(count: int) -> None:
        for _ in range(min(count, len(service.reliable))):
            observer.hear(service.reliable.popleft())

    def lossy(skipped: int) -> None:
        """One comes, and what it has overtaken does not any more."""
        if len(service.lossy) > skipped:
            observer.hear(service.lossy[skipped])
            del service.lossy[: skipped + 1]

    def wait(seconds: float) -> None:
        observer.now += seconds

    acts: dict[str, Callable[..., None]] = {
        "join": service.join,
        "leave": service.leave,
        "move": service.move,
        "parcel": lambda number, index: service.move(number, "parcel_index", index),
        "tick": service.tell,
        "emote": emote,
        "reliable": reliable,
        "lossy": lossy,
        "lose": service.lose,
        "ask": lambda lost: observer.ask(lost=lost),
        "wait": wait,
    }
    acts[step[0]](*step[1:])


@settings(max_examples=400)
@given(st.lists(STEPS, min_size=10, max_size=60))
def test_the_last_state_is_the_services(steps: list[tuple[Any, ...]]) -> None:
    service = Service()
    observer = Observer(service)
    for number, wallet in enumerate(WALLETS):
        service.join(number, wallet)
    observer.hear_all()
    for step in steps:
        play(service, observer, step)
    observer.hear_all()
    for number in list(service.players):
        service.move(number, "rotation_y", 99)
    service.tell()
    observer.hear_all()
    observer.now += 2.0
    observer.ask(lost=False)
    observer.hear_all()
    observer.now += 2.0
    assert observer.subjects.deadline() is None
    newest: dict[str, Player] = {}
    for player in service.players.values():
        newest.setdefault(player.wallet, player)
    assert set(observer.there) == {PeerId(wallet) for wallet in newest}
    alone = [
        player
        for player in newest.values()
        if sum(one.wallet == player.wallet for one in service.players.values()) == 1
    ]
    for player in alone:
        who = PeerId(player.wallet)
        wanted = to_movement(player.state, observer.there[who].timestamp)
        assert wanted is not None
        wanted.is_emoting = player.emote is not None
        found = observer.there[who]
        found.is_instant = False
        assert found == wanted
    assert {player.wallet for player in alone if player.emote is not None} == {
        str(who) for who in observer.emoting if str(who) in {player.wallet for player in alone}
    }


SMALL = st.integers(0, 3)
ANY_STATES = st.none() | messages(pulse.PlayerState) | st.builds(State, st.just(48488), st.integers(0, 300))
HOSTILE = st.one_of(
    messages(pulse.ServerMessage),
    st.builds(Delta, SMALL, SMALL, SMALL, SMALL, st.none() | st.integers(-1, 99_534), st.none() | st.integers(0, 300)).map(
        lambda delta: pulse.ServerMessage(player_state_delta=delta)
    ),
    st.builds(Full, SMALL, SMALL, SMALL, ANY_STATES).map(lambda full: pulse.ServerMessage(player_state_full=full)),
    st.builds(
        pulse.PlayerJoined, st.sampled_from([*WALLETS, ""]), SMALL, st.builds(Full, SMALL, SMALL, SMALL, ANY_STATES),
        st.sampled_from(["main", "", "Away"]),
    ).map(lambda joined: pulse.ServerMessage(player_joined=joined)),
    SMALL.map(lambda number: pulse.ServerMessage(player_left=pulse.PlayerLeft(number))),
    st.builds(pulse.TeleportPerformed, SMALL, SMALL, SMALL, ANY_STATES, st.sampled_from(["main", "", "Away"])).map(
        lambda told: pulse.ServerMessage(teleported=told)
    ),
    st.builds(pulse.EmoteStarted, SMALL, SMALL, SMALL, st.sampled_from(["wave", "two words"]), ANY_STATES).map(
        lambda told: pulse.ServerMessage(emote_started=told)
    ),
    st.builds(pulse.EmoteStopped, SMALL, SMALL, st.sampled_from(pulse.EmoteStopReason), SMALL, ANY_STATES).map(
        lambda told: pulse.ServerMessage(emote_stopped=told)
    ),
    st.sampled_from(["main", "away", None]),
)  # fmt: skip
"""Messages of which a good part fits, and changes of our realm."""


@settings(max_examples=400)
@given(st.lists(HOSTILE, max_size=40))
def test_whatever_is_told_who_is_there_is_told_once_and_nothing_is_raised(told: list[Any]) -> None:
    subjects = Subjects(Limits(pulse_subjects=3, peers=2))
    there: set[PeerId] = set()
    emoting: set[PeerId] = set()
    for now, message in enumerate(told):
        if isinstance(message, pulse.ServerMessage):
            events = subjects.take(message, float(now))
        else:
            events = subjects.set_realm(message, float(now))
        for event in events:
            who: Any = getattr(event, "sender", None)
            if isinstance(event, ev.PeerJoined):
                assert who not in there
                there.add(who)
            elif isinstance(event, ev.PeerLeft):
                there.remove(who)
                emoting.discard(who)
            elif isinstance(event, ev.PeerEmoted):
                assert who in there
                assert not event.stopping or who in emoting
                (emoting.discard if event.stopping else emoting.add)(who)
            elif isinstance(event, ev.PeerMoved | ev.ProfileAnnounced):
                assert who in there
            else:
                assert isinstance(event, ev.PacketRejected | ev.LimitReached)
        assert len(there) <= 2
        assert len(subjects) <= 3
        due = subjects.deadline()
        assert len(subjects.resyncs(float(now))) <= 3
        assert due is None or (later := subjects.deadline()) is None or later > now
    assert {event.sender for event in subjects.forget(99.0)} == there  # type: ignore[union-attr]
