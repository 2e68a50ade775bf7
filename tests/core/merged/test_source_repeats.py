"""What a movement source tells of a peer is told once, whatever rooms repeat; and who is in none of our rooms."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import people, wire

from dcl_comms_core import (
    AnnounceProfileVersion,
    DataReceived,
    LinkOpened,
    LocalProtocolError,
    MergedRooms,
    Movement,
    OpenLink,
    ParticipantJoined,
    ParticipantLeft,
    Peer,
    PeerEmoted,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    PeersOfRooms,
    PlayerEmote,
    ProfileAnnounced,
    RoomRole,
    SendData,
    SimulatorAdapter,
    WarningCode,
)
from dcl_comms_core import events as ev
from dcl_comms_core.testing import MemorySource

WALLET = "0x" + "aB" * 20
"""As its token's issuer writes it; a source says it in lower case."""
WHO = PeerId(WALLET)


class Bench:
    """A room and a source, both open."""

    def __init__(self, *, room: bool = True, source: bool = True) -> None:
        self.merged = MergedRooms(announce=False)
        self.now = 0.0
        self.links: dict[str, Any] = {}
        self.merged.join(SimulatorAdapter("i"), RoomRole.ISLAND, now=0.0)
        self.attach()
        self.here = {"island": WALLET, "pulse": WALLET.lower()}
        if room:
            self.comes("island")
        if source:
            self.comes("pulse")

    def attach(self) -> None:
        self.source = MemorySource(self.merged.new_link(), room="pulse")
        self.merged.attach(self.source, now=self.now)
        for command in self.merged.commands():
            assert isinstance(command, OpenLink)
            label = "pulse" if command.link == self.source.link else "island"
            self.links[label] = command.link
            self.tell(label, LinkOpened, identity="me", room=label)

    def tell(self, label: str, kind: Any, **fields: Any) -> None:
        self.merged.receive(kind(link=self.links[label], **fields), now=self.now)

    def comes(self, label: str) -> None:
        self.tell(label, ParticipantJoined, participant=people(self.here[label])[0])

    def goes(self, label: str) -> None:
        self.tell(label, ParticipantLeft, identity=self.here[label])

    def says(self, label: str, **message: Any) -> list[Any]:
        """What is told of this message of the peer's."""
        self.merged.events()
        self.tell(label, DataReceived, sender=self.here[label], data=wire(**message))
        return self.merged.events()

    def moves(self, label: str, x: float, stamp: float = 0.0) -> bool:
        """Whether it is told."""
        told = self.says(label, movement=Movement(position_x=x, timestamp=stamp))
        assert [(type(event), event.room) for event in told] in ([], [(PeerMoved, label)])
        return bool(told)

    def emotes(self, label: str, urn: str, number: int, *, stop: bool = False) -> bool:
        message = PlayerEmote(incremental_id=number, urn=urn, timestamp=self.now, is_stopping=stop or None)
        told = self.says(label, player_emote=message)
        assert [(type(event), event.room) for event in told] in ([], [(PeerEmoted, label)])
        return bool(told)

    def announces(self, label: str, version: int) -> bool:
        told = self.says(label, profile_version=AnnounceProfileVersion(profile_version=version))
        assert [(type(event), event.room) for event in told] in ([], [(ProfileAnnounced, label)])
        return bool(told)


# --- movements


def test_who_stands_still_on_a_source_that_says_nothing_of_it_is_not_told_again_by_a_room() -> None:
    bench = Bench()
    assert bench.moves("pulse", 10.0, 700.0)
    for number in range(40):
        bench.now += 1.0
        # Rounded otherwise than the source does, and by another clock.
        assert not bench.moves("island", 10.06, 3.0 + number)
    assert bench.merged.counters["moved_twice"] == 40
    assert bench.moves("pulse", 12.0, 740.0)


def test_who_walks_where_only_the_room_sees_it_is_heard_of_once_the_source_is_silent() -> None:
    bench = Bench()
    assert bench.moves("pulse", 10.0, 5.0)
    bench.now = 4.9
    assert not bench.moves("island", 20.0, 3.0)
    bench.now = 5.1
    # Its clock is not the source's: 3.1 is not late for 5.0.
    assert bench.moves("island", 20.0, 3.1)
    assert not bench.moves("island", 20.0, 2.9)
    bench.now = 5.2
    # Nor the other way round: a jump is told, and only what is the same to the last bit is not.
    assert bench.moves("pulse", 90.0, 3.0)
    bench.now = 20.0
    assert bench.moves("island", 30.0, 9.0)
    assert not bench.moves("pulse", 30.0, 9.0)
    assert not bench.moves("island", 31.0, 9.1)


def test_who_leaves_the_source_and_stays_in_the_room_is_heard_of_there_at_once() -> None:
    bench = Bench()
    assert bench.moves("pulse", 10.0)
    bench.goes("pulse")
    assert bench.moves("island", 10.0)
    assert WHO in bench.merged.peers
    bench.comes("pulse")
    assert bench.moves("pulse", 11.0)
    assert not bench.moves("island", 11.0, 1.0)


def test_the_end_of_a_source_and_its_return() -> None:
    bench = Bench()
    assert bench.moves("pulse", 10.0)
    bench.merged.leave(bench.source.link.link, now=0.0)
    bench.merged.commands()
    assert bench.moves("island", 10.0)
    assert bench.emotes("island", "wave", 1)
    bench.attach()
    bench.merged.events()
    bench.comes("pulse")
    assert bench.merged.events() == []
    assert bench.moves("pulse", 11.0)
    assert not bench.moves("island", 12.0, 1.0)


# --- emotes and profile versions


@pytest.mark.parametrize(("first", "second"), [("pulse", "island"), ("island", "pulse")])
def test_an_emote_is_told_by_whichever_brings_it_first(first: str, second: str) -> None:
    bench = Bench()
    for number, stop in ((1, False), (2, True), (3, False)):
        assert bench.emotes(first, "urn:wave", number, stop=stop)
        bench.now += 0.1
        # A source need not know how the room numbers and dates it, nor what it was that ended.
        assert not bench.emotes(second, "" if stop else "urn:wave", number + 90, stop=stop)
    assert bench.merged.counters["emoted_twice"] == 3
    bench.now += 1.0
    assert bench.emotes(first, "urn:wave", 4)
    assert not bench.emotes(second, "urn:wave", 94)
    assert bench.emotes(second, "urn:dance", 95)


def test_an_emote_that_comes_much_later_is_another_one() -> None:
    bench = Bench()
    assert bench.emotes("pulse", "urn:wave", 1)
    bench.now = 6.0
    assert bench.emotes("island", "urn:wave", 2)
    bench.goes("island")
    assert bench.emotes("pulse", "urn:wave", 3)


def test_an_emote_of_nobody_that_is_known_is_told() -> None:
    bench = Bench(room=False, source=False)
    assert bench.emotes("pulse", "urn:wave", 1)
    bench.merged.receive(
        DataReceived(link=bench.links["island"], sender=None, data=wire(player_emote=PlayerEmote(urn="x"))), now=0.0
    )
    assert [event.sender for event in bench.merged.events() if isinstance(event, PeerEmoted)] == [None]


def test_a_profile_version_is_told_once() -> None:
    bench = Bench()
    assert bench.announces("pulse", 7)
    assert not bench.announces("island", 7)
    assert bench.announces("island", 8)
    assert not bench.announces("pulse", 8)
    bench.goes("island")
    assert bench.announces("pulse", 8)


# --- who is in none of our rooms


def test_who_is_told_of_by_a_source_alone_is_there_and_in_no_room() -> None:
    bench = Bench(room=False)
    joined = [event for event in bench.merged.events() if isinstance(event, PeerJoined)]
    assert [(event.room, event.sender) for event in joined] == [("pulse", WHO)]
    assert bench.merged.rooms_of(WHO) == ()
    peers = PeersOfRooms(bench.merged)
    assert (WHO in peers, len(peers), peers.get(PeerId("x"))) == (True, 1, None)
    assert [peers[who] for who in peers] == list(peers.values()) == [Peer(id=WHO, joined_at=0.0)]
    bench.comes("island")
    assert bench.merged.rooms_of(WHO) == ("island",)
    assert peers[WHO].sid == "PA_" + WALLET
    bench.goes("island")
    assert [event for event in bench.merged.events() if isinstance(event, PeerLeft)] == []
    bench.goes("pulse")
    assert [(event.room, event.sender) for event in bench.merged.events() if isinstance(event, PeerLeft)] == [
        ("pulse", WHO)
    ]


def test_what_is_said_to_who_is_in_no_room_goes_out_with_a_warning_as_to_anybody_unknown() -> None:
    bench = Bench(room=False)
    bench.merged.events()
    bench.merged.chat("hello", to=WHO)
    sent = [command for command in bench.merged.commands() if isinstance(command, SendData)]
    assert [(command.link, command.to) for command in sent] == [(bench.links["island"], (WALLET,))]
    (warning,) = bench.merged.events()
    assert isinstance(warning, ev.Warning)
    assert (warning.room, warning.code) == ("island", WarningCode.ADDRESSEE_UNKNOWN)
    with pytest.raises(LocalProtocolError, match=r"rooms_of\(peer\)"):
        bench.merged.request_profile(WHO)
