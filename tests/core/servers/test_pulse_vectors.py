"""What a Pulse server sends, byte by byte: as another make of the server was seen to send it.

The wallet of the vectors is somebody's; everything else is told by the parts that tell it, from states with the
numbers and times of then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rigs.core.pulse_server import PulseNet, at, login, proof

from dcl_comms_core import decode_message
from dcl_comms_core.proto import pulse
from dcl_comms_core.servers.pulse.fields import codes_of, landed
from dcl_comms_core.servers.pulse.subjects import Emote, Snapshot, Subject, View
from dcl_comms_core.servers.pulse.views import farewell, follow, greet

WALLET = "0xc2a05384ae6e031baabf708e454c00b3d49e2bca"
C3 = "12310a2f08e8fa021051183d2046280c305138ff01407f481f500f5800607868e1017002780380018080048801059001889104"
"""Seen: an input in which every field says something."""


def codes(state: pulse.PlayerState) -> Any:
    found = codes_of(state)
    assert found is not None
    return found


def input_of(hexed: str) -> Any:
    message = decode_message(pulse.ClientMessage, bytes.fromhex(hexed))
    assert message.input is not None
    return codes_of(message.input.state)


@dataclass
class Line:
    """An observer of a subject whose latest state has this number, which it was told of."""

    seq: int
    state: Any
    number: int = 0
    realm: str = "main"
    tick: int = 1
    told: list[tuple[bool, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.subject: Any = None
        self.views: Any = {}
        self.asked: Any = set()
        self.passing: Any = []
        self.moved_realm = False
        self.about = Subject(self.number, WALLET, WALLET, self)
        self.about.latest = Snapshot(self.seq, self.tick, self.state, self.realm)
        self.view = View(self.about, self)

    def send(self, message: bytes) -> None:
        self.told.append((True, message.hex()))

    def hears(self, *, tier: int = 0, resync: bool = False, profiles: bool = True) -> list[tuple[bool, str]]:
        self.told.clear()
        # Listeners are no subjects themselves, and are told of no profiles.
        self.subject = self.about if profiles else None
        follow(self.view, tier, resync=resync)
        self.told += [(False, data.hex()) for data in self.passing]
        self.passing.clear()
        return self.told

    def greeted(self) -> list[tuple[bool, str]]:
        greet(self.view)
        return self.told


def test_who_joins() -> None:
    s3 = "22460a2a3078633261303533383461653665303331626161626637303865343534633030623364343965326263611a121001188ad202220a08e8fa0210402040680122046d61696e"
    line = Line(1, codes(at(position_x=64, position_z=64, state_flags=1)), tick=43274)
    assert line.greeted() == [(True, s3)]


def test_who_joins_with_a_profile_and_many_states() -> None:
    s4 = "224a0a2a30786332613035333834616536653033316261616266373038653435346330306233643439653262636110091a14102b18b6ff03220c08a7fd02108001208001680122046d61696e"
    line = Line(43, codes(at((1, 1), position_x=128, position_z=128, state_flags=1)), tick=65462)
    line.about.profile = 9
    assert line.greeted() == [(True, s4)]


def test_deltas() -> None:
    line = Line(1, codes(at(position_x=64, position_z=64, state_flags=1)))
    c2 = "12120a1008e8fa021041204038504020480a6801"
    line.about.move(input_of(c2), 43785)
    assert line.hears() == [(False, "1a10100118022089d602304158506020680a")]


def test_a_delta_of_zeros() -> None:
    line = Line(0, codes(at(state_flags=1)))
    line.about.move(codes(at(position_x=9, state_flags=1)), 4488)
    assert line.hears() == [(False, "1a0718012088233009")]


def test_a_delta_without_fields() -> None:
    """Only the number moves: what changed is left out for those who are far."""
    line = Line(12, codes(at(state_flags=1)))
    line.about.move(codes(at(state_flags=1, slide_blend=3)), 44896)
    assert line.hears(tier=1) == [(False, "1a08100c180d20e0de02")]


def test_a_run_of_deltas_until_some_are_lost() -> None:
    line = Line(16, codes(at(state_flags=1)))
    line.about.move(codes(at(state_flags=1, position_x=80)), 45_200)
    line.about.move(codes(at(state_flags=1, position_x=81, position_z=128, rotation_y=33)), 45_335)
    assert line.hears() == [(False, "1a0f101018122097e20230514080016021")]
    line.about.move(input_of(C3), 45_636)
    every = (
        "1a351012181320c4e402383d4046480c505158ff01607f681f700f78008001788801e101900102980103a001808004a80105b001889104"
    )
    assert line.hears() == [(False, every)]
    # Zeros are told, but not that there is no head and no point any more: the flags say so.
    line.about.move(codes(at(position_x=81, position_z=70, state_flags=1)), 45_946)
    back = "1a1f1013181420fae6023800480050005800600068007000880101900100980100"
    assert line.hears() == [(False, back)]
    line.about.move(codes(at((1, 0), position_z=70, state_flags=1)), 46_246)
    assert line.hears() == [(False, "1a0e1014181520a6e90228e9fa023000")]
    for step in range(4):
        line.about.move(codes(at((1, 0), position_x=5 * (step + 1), position_z=70, state_flags=1)), 46_546 + 100 * step)
    assert line.hears(resync=True) == [(True, "1212101918feed02220a08e9fa02101420466801")]
    # The full state is what the next delta begins with.
    line.about.move(codes(at((1, 0), position_x=21, position_z=70, state_flags=1)), 46_950)
    ((reliable, told),) = line.hears()
    assert not reliable
    message = decode_message(pulse.ServerMessage, bytes.fromhex(told)).player_state_delta
    assert message is not None
    assert (message.baseline_seq, message.new_seq, message.position_x) == (25, 26, 21)


WAVING = at((1, 0), position_x=21, position_z=70, state_flags=1)


def waving(mask: int | None) -> Line:
    """A line whose subject waves, and nobody was told of it."""
    line = Line(26, codes(WAVING))
    snapshot = line.about.move(codes(WAVING), 48_851)
    line.about.emote = Emote("wave", snapshot, 48_851, 1_000, mask)
    return line


def test_emotes_begin() -> None:
    assert waving(None).hears() == [(True, "3a18101b18d3fd022204776176652a0a08e9fa02101520466801")]
    assert waving(1).hears() == [(True, "3a1a101b18d3fd022204776176652a0a08e9fa021015204668013001")]


def test_emotes_end() -> None:
    cancelled, completed = pulse.EmoteStopReason.CANCELLED, pulse.EmoteStopReason.COMPLETED
    line = waving(None)
    line.hears()
    assert line.about.end(cancelled, 50_862)
    assert line.hears() == [(True, "421410ae8d031801201c2a0a08e9fa02101520466801")]
    assert not line.about.end(cancelled, 50_863)
    line = waving(None)
    line.hears()
    assert line.about.end(completed, 49_851)
    assert line.hears() == [(True, "421210bb8503201c2a0a08e9fa02101520466801")]


def test_teleports() -> None:
    line = Line(37, codes(at(state_flags=3, rotation_y=0)))
    there = landed(pulse.TeleportRequest(parcel_index=48808, position_x=5, position_z=6, realm="main"), line.state)
    assert there is not None
    line.about.jump(there, 53_174, "main")
    assert line.hears() == [(True, "4a18102618b69f03220a08a8fd021005200668012a046d61696e")]


def test_profiles() -> None:
    line = Line(5, codes(at()))
    line.about.profile = 7
    assert line.hears() == [(True, "32021007")]
    line = Line(5, codes(at()), number=1)
    line.about.profile = 3
    assert line.hears() == [(True, "320408011003")]
    assert line.hears() == []
    line.about.profile = 4
    assert line.hears(profiles=False) == []


def test_who_leaves() -> None:
    assert [farewell(0).hex(), farewell(1).hex()] == ["2a00", "2a020801"]


def test_an_emote_that_ended_before_a_teleport_is_told_after_it() -> None:
    line = Line(1, codes(at()))
    snapshot = line.about.move(codes(at(position_x=99, position_z=128, state_flags=1)), 2_000)
    line.about.emote = Emote("wave", snapshot, 2_000, None, None)
    line.hears()
    line.about.end(pulse.EmoteStopReason.CANCELLED, 2_348)
    there = pulse.TeleportRequest(parcel_index=48488, position_x=120, position_z=128, realm="main")
    line.about.jump(codes(at(position_x=120, position_z=128, state_flags=1)), 2_348, "main")
    assert landed(there, ()) == line.about.latest.codes
    assert line.hears() == [
        (True, "4a18100418ac12220b08e8fa02107820800168012a046d61696e"),
        (True, "421410ac12180120032a0b08e8fa0210632080016801"),
    ]
    line.about.move(codes(at(position_x=121, position_z=128, state_flags=1)), 2_751)
    assert line.hears() == [(False, "1a091004180520bf153079")]


def test_handshakes_are_answered() -> None:
    net = PulseNet()
    walker, other = net.walker(), net.walker(1)
    walker.shake()
    other.shake(proof(login(1)).replace(b"Login", b"Logan"))
    net.run(0.1)
    assert walker.heard_hex() == [(0, "0a020801")]
    refused = "0a261224496e76616c6964207369676e617475726520666f722066696e616c207061796c6f61642e"
    assert other.heard_hex() == [(0, refused)]
