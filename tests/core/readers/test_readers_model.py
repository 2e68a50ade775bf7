"""Readers that come and go while batches come, against a model that keeps everything and looks at it again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dcl_comms_core import (
    ChatReceived,
    Limits,
    MovementKind,
    PeerId,
    PeerIdentified,
    PeerJoined,
    PeerMoved,
    Position,
    Vector3,
)
from dcl_comms_core.readers.table import Readers

PEERS = [PeerId("alice"), PeerId("bob")]
SENDERS = st.sampled_from([*PEERS, None])
KINDS = [ChatReceived, PeerJoined, PeerMoved, PeerIdentified, (ChatReceived, PeerMoved)]


def chat(number, sender, at):
    return ChatReceived(
        at=at,
        room="main",
        sender=sender,
        private=False,
        text=str(number),
        sent_at=None,
        timestamp=0.0,
        forwarded_from=None,
    )


def event(kind, number, sender, at):
    if kind is ChatReceived:
        return chat(number, sender, at)
    who = sender or PEERS[0]
    if kind is PeerJoined:
        return PeerJoined(at=at, room="main", sender=who)
    if kind is PeerIdentified:
        return PeerIdentified(at=at, room="main", sender=who, early=(chat(number, who, at - number % 3),))
    return PeerMoved(
        at=at,
        room="main",
        sender=sender,
        private=False,
        position=Vector3(float(number), 0.0, 0.0),
        velocity=Vector3(0.0, 0.0, 0.0),
        yaw=0.0,
        kind=MovementKind.POSITION,
        message=Position(),
    )


def even(one):
    """A condition that has an answer for each kind."""
    text = getattr(one, "text", None) or str(int(getattr(one, "position", (0,))[0]))
    return int(text) % 2 == 0


class Naive:
    """One reader: keeps what it should have, in the dullest way."""

    def __init__(self, reader, kind, sender, where, since, most):
        self.reader = reader
        self.kinds = kind if isinstance(kind, tuple) else (kind,)
        self.sender, self.where, self.since, self.most = sender, where, since, most
        self.has = []
        self.gone = 0

    def take(self, one):
        if isinstance(one, self.kinds):
            self.keep(one)
        if isinstance(one, PeerIdentified) and self.sender == one.sender:
            for early in one.early:
                if isinstance(early, self.kinds) and early.at >= self.since:
                    self.keep(early)

    def keep(self, one):
        if (self.sender is not None and one.sender != self.sender) or (self.where and not self.where(one)):
            return
        if isinstance(one, PeerMoved) and one.sender is not None:
            for place, older in enumerate(self.has):
                if isinstance(older, PeerMoved) and older.sender is one.sender:
                    self.has[place] = one
                    return
        self.has.append(one)
        if len(self.has) > self.most:
            self.has.pop(0)
            self.gone += 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("listen"), st.sampled_from(KINDS), SENDERS, st.sampled_from([None, even])),
        st.tuples(st.just("wait"), st.sampled_from(KINDS), SENDERS, st.sampled_from([None, 0.0, 1.5, 4.0])),
        st.tuples(st.just("leave"), st.integers(0, 7)),
        st.tuples(st.just("read"), st.integers(0, 7), st.booleans()),
        st.tuples(st.just("take"), st.lists(st.tuples(st.sampled_from(KINDS[:4]), SENDERS), min_size=1, max_size=6)),
        st.tuples(st.just("pass"), st.integers(0, 3)),
    ),
    max_size=40,
)


@given(STEPS, st.integers(1, 5))
@settings(max_examples=400)
def test_every_reader_has_what_a_naive_one_has(steps, most):
    readers = Readers(Limits(event_queue=most))
    listening, waiting, woken = [], [], set()
    now, number = 10.0, 0
    for what, *args in steps:
        if what == "listen":
            kind, sender, where = args
            heard = readers.listen(kind, where, sender=sender, now=now, wake=lambda: None)
            listening.append(Naive(heard, kind, sender, where, now, most))
        elif what == "wait":
            kind, sender, timeout = args
            name = len(waiting)
            want = readers.wait_for(
                kind, sender=sender, timeout=timeout, now=now, wake=lambda name=name: woken.add(name)
            )
            model = Naive(want, kind, sender, None, now, 1_000)
            waiting.append((model, None if timeout is None else now + timeout))
        elif what == "leave" and args[0] < len(listening):
            readers.leave(listening.pop(args[0]).reader)
        elif what == "read" and args[0] < len(listening):
            model = listening[args[0]]
            if args[1]:
                assert model.reader.take() == model.has
                model.has.clear()
            elif model.has:
                assert model.reader.popleft() == model.has.pop(0)
        elif what == "take":
            batch = []
            for kind, sender in args[0]:
                number += 1
                batch.append(event(kind, number, sender, now))
            readers.take(batch, now=now)
            for one in batch:
                for model in listening:
                    model.take(one)
                for model, _ in waiting:
                    if not model.has and not model.reader.expired:
                        model.take(one)
        elif what == "pass":
            now += args[0]
            due = readers.deadline()
            live = [when for model, when in waiting if when is not None and not model.has and not model.reader.expired]
            assert due == min(live, default=None)
            if due is not None and due <= now:
                readers.handle_timeout(now)
        for name, (model, when) in enumerate(waiting):
            assert model.reader.event == (model.has[0] if model.has else None)
            assert model.reader.over == (model.reader.expired or bool(model.has)) == (name in woken)
            if model.reader.expired:
                assert when is not None
                assert when <= now
    for model in listening:
        assert model.reader.take() == model.has
        assert model.reader.dropped == model.gone
    assert len(readers) == len(listening) + sum(not model.reader.over for model, _ in waiting)
