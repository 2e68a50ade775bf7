"""Who waits for an event, and who listens to some, beside the main reader."""

from __future__ import annotations

import pytest

from dcl_comms_core import (
    EVERYONE,
    ChatReceived,
    Event,
    LimitReached,
    Limits,
    ListenerOverflow,
    LocalProtocolError,
    PacketEvent,
    Peer,
    PeerEmoted,
    PeerId,
    PeerIdentified,
    PeerJoined,
    PeerLeft,
    PlayerEmote,
    RoomMetadataChanged,
)
from dcl_comms_core.readers.table import Readers

ALICE, BOB = PeerId("alice"), PeerId("bob")


def chat(text, sender=ALICE, at=1.0):
    return ChatReceived(
        at=at, room="main", sender=sender, private=False, text=text, sent_at=None, timestamp=0.0, forwarded_from=None
    )


def joined(who, at=1.0):
    return PeerJoined(at=at, room="main", sender=who)


class Rig:
    """Readers with a clock; notes who was woken."""

    def __init__(self, **limits):
        self.readers = Readers(Limits(**limits))
        self.now = 0.0
        self.woken = []

    def wait_for(self, *args, name="want", **options):
        return self.readers.wait_for(*args, **options, now=self.now, wake=lambda: self.woken.append(name))

    def listen(self, *args, name="heard", **options):
        return self.readers.listen(*args, **options, now=self.now, wake=lambda: self.woken.append(name))

    def take(self, *events):
        self.readers.take(list(events), now=self.now)


def test_who_waits_gets_the_first_that_passes_and_nothing_more():
    rig = Rig()
    want = rig.wait_for(ChatReceived, lambda event: event.text.startswith("y"), sender=ALICE)
    rig.take(joined(ALICE), chat("no"), chat("yes", BOB))
    assert (want.event, want.over, rig.woken, len(rig.readers)) == (None, False, [], 1)
    rig.take(chat("yes"), chat("yes again"))
    assert want.event is not None
    assert (want.event.text, want.over, rig.woken, len(rig.readers)) == ("yes", True, ["want"], 0)


def test_who_listens_gets_all_that_pass_until_it_leaves():
    rig = Rig()
    heard = rig.listen((ChatReceived, PeerLeft))
    left = PeerLeft(at=1.0, room="main", sender=BOB)
    rig.take(chat("a"), joined(ALICE), left)
    rig.take(chat("b"))
    assert (heard.popleft(), len(heard)) == (chat("a"), 2)
    assert heard.take() == [left, chat("b")]
    rig.readers.leave(heard)
    rig.readers.leave(heard)
    rig.take(chat("c"))
    assert (len(heard), len(rig.readers), heard.over) == (0, 0, True)
    with pytest.raises(IndexError):
        heard.popleft()


def test_readers_come_and_go_without_touching_each_other():
    rig = Rig()
    one, two = rig.listen(ChatReceived), rig.listen(Event)
    rig.readers.leave(one)
    rig.take(chat("a"), joined(BOB))
    assert two.take() == [chat("a"), joined(BOB)]
    assert one.take() == []


@pytest.mark.parametrize("who", [ALICE, "Alice", PeerId("ALICE"), Peer(id=ALICE, joined_at=0.0)])
def test_a_sender_is_a_peer_in_any_case(who):
    rig = Rig()
    heard = rig.listen(Event, sender=who)
    rig.take(chat("a"), chat("b", BOB), chat("c", None), RoomMetadataChanged(at=1.0, room="main", metadata="x"))
    assert heard.take() == [chat("a")]


def test_what_came_without_a_name_is_told_once_it_has_one():
    rig = Rig()
    rig.now = 2.0
    to_alice = rig.listen((ChatReceived, PeerJoined), sender=ALICE)
    to_bob = rig.wait_for(ChatReceived, sender=BOB)
    to_all = rig.listen(ChatReceived)
    rig.take(chat("early", None, at=3.0))
    emote = PeerEmoted(
        at=3.0,
        room="main",
        sender=ALICE,
        private=False,
        urn="wave",
        incremental_id=1,
        timestamp=0.0,
        stopping=False,
        message=PlayerEmote(),
    )
    early = (chat("before", at=1.0), chat("early", at=3.0), emote)
    rig.take(PeerIdentified(at=4.0, room="main", sender=ALICE, early=early))
    # What came before it was asked for is no answer; and those of all senders had it already.
    assert to_alice.take() == [chat("early", at=3.0)]
    assert to_bob.event is None
    assert to_all.take() == [chat("early", None, at=3.0)]


def test_two_answers_among_what_came_early_are_one_for_who_waits():
    rig = Rig()
    want = rig.wait_for(ChatReceived, sender=ALICE)
    rig.take(PeerIdentified(at=4.0, room="main", sender=ALICE, early=(chat("a"), chat("b"))))
    assert want.event == chat("a")
    assert rig.woken == ["want"]


def test_what_where_raises_ends_that_reader_only():
    rig = Rig()
    want = rig.wait_for(ChatReceived, lambda event: 1 / len(event.text), name="want")
    heard = rig.listen(ChatReceived, lambda event: len(event.text) > 0 or 1 / 0, name="heard")
    other = rig.listen(ChatReceived, name="other")
    rig.take(chat("a"))
    assert want.event == chat("a")
    want = rig.wait_for(ChatReceived, lambda event: 1 / len(event.text))
    rig.take(chat(""), chat("b"))
    assert isinstance(want.failure, ZeroDivisionError)
    assert isinstance(heard.failure, ZeroDivisionError)
    assert heard.take() == [chat("a")]
    assert other.take() == [chat("a"), chat(""), chat("b")]
    assert len(rig.readers) == 1


def test_a_where_may_have_others_leave_and_come():
    rig = Rig()
    late = []

    def meddle(_event):
        rig.readers.leave(second)
        late.append(rig.listen(ChatReceived))
        return True

    rig.listen(ChatReceived, meddle)
    second = rig.listen(ChatReceived)
    rig.take(chat("a"))
    assert second.take() == []
    assert late[0].take() == []
    rig.take(chat("b"))
    assert late[0].take() == [chat("b")]


def test_what_is_not_read_is_bounded_and_the_oldest_go():
    rig = Rig(event_queue=3)
    plain, told = rig.listen(ChatReceived), rig.listen((ChatReceived, LimitReached))
    rig.take(*(chat(str(number)) for number in range(5)))
    assert ([event.text for event in plain.take()], plain.dropped) == (["2", "3", "4"], 2)
    notice, *rest = told.take()
    assert notice == LimitReached(at=1.0, room="main", limit="event_queue", value=3)
    assert [event.text for event in rest] == ["3", "4"]
    assert told.dropped == 3
    one = Rig(event_queue=1, event_queue_bytes=1_000)
    heard = one.listen(ChatReceived)
    one.take(chat("a"), chat("b"))
    assert heard.take() == [chat("b")]


def test_a_listener_that_is_to_end_when_full_gives_what_it_has_and_says_so():
    rig = Rig(event_queue=2)
    heard, other = rig.listen(ChatReceived, closes=True), rig.listen(ChatReceived)
    rig.take(*(chat(str(number)) for number in range(5)))
    assert [event.text for event in heard.take()] == ["0", "1", "2"]
    assert isinstance(heard.failure, ListenerOverflow)
    assert heard.failure.unread == 3
    assert "3 events" in str(heard.failure)
    assert [event.text for event in other.take()] == ["3", "4"]
    assert len(rig.readers) == 1


def test_who_waits_too_long_is_told_at_its_time():
    rig = Rig()
    assert rig.readers.deadline() is None
    late = rig.wait_for(ChatReceived, timeout=9.0, name="late")
    early = rig.wait_for(ChatReceived, timeout=3.0, name="early")
    never = rig.wait_for(ChatReceived, name="never")
    later = rig.wait_for(ChatReceived, timeout=10.0, name="later")
    heard = rig.listen(PeerJoined)
    assert rig.readers.deadline() == 3.0
    rig.readers.handle_timeout(2.9)
    assert rig.woken == []
    rig.readers.handle_timeout(3.0)
    assert (early.expired, early.over, rig.woken) == (True, True, ["early"])
    assert rig.readers.deadline() == 9.0
    rig.readers.leave(late)
    assert rig.readers.deadline() == 10.0
    rig.readers.leave(later)
    rig.readers.leave(heard)
    assert rig.readers.deadline() is None
    rig.take(chat("a"))
    assert never.event == chat("a")
    assert early.event is None
    rig.wait_for(ChatReceived, timeout=0)
    assert rig.readers.deadline() == 0.0


def test_a_time_that_was_not_asked_for_again_is_found_when_the_first_leaves():
    rig = Rig()
    first = rig.wait_for(ChatReceived, timeout=1.0)
    rig.readers.leave(first)
    rig.wait_for(ChatReceived, timeout=5.0)
    assert rig.readers.deadline() == 5.0


def test_all_are_woken_when_nothing_more_comes():
    rig = Rig()
    rig.wait_for(ChatReceived, name="want")
    rig.listen(ChatReceived, name="heard")
    rig.readers.wake()
    assert rig.woken == ["want", "heard"]


@pytest.mark.parametrize("kind", ["ChatReceived", str, (), (ChatReceived, int), None, list[int], Peer, EVERYONE])
def test_what_is_no_kind_of_event_is_refused(kind):
    rig = Rig()
    with pytest.raises(LocalProtocolError, match="no kind of event"):
        rig.wait_for(kind)
    with pytest.raises(LocalProtocolError, match="no kind of event"):
        rig.listen(kind)
    assert len(rig.readers) == 0


@pytest.mark.parametrize("kind", [(ChatReceived, PacketEvent), PacketEvent, (PeerJoined, (ChatReceived, PeerLeft))])
def test_kinds_may_be_unions_and_tuples(kind):
    rig = Rig()
    heard = rig.listen(kind)
    rig.take(chat("a"))
    assert heard.take() == [chat("a")]


def test_misuse_is_refused():
    rig = Rig(readers=2)
    for timeout in (-1.0, float("nan"), float("inf"), "5"):
        with pytest.raises(LocalProtocolError, match="seconds"):
            rig.wait_for(ChatReceived, timeout=timeout)
    with pytest.raises(LocalProtocolError, match="function"):
        rig.listen(ChatReceived, "hello")
    with pytest.raises(LocalProtocolError, match="PeerId"):
        rig.listen(ChatReceived, sender=b"alice")
    rig.wait_for(ChatReceived)
    rig.listen(ChatReceived)
    with pytest.raises(LocalProtocolError, match=r"Limits\.readers"):
        rig.listen(ChatReceived)
    with pytest.raises(LocalProtocolError, match=r"Limits\.readers"):
        rig.wait_for(ChatReceived)
