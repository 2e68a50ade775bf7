"""The Board against a page that applies what it is told: bounds, order, newest positions, snapshots, determinism."""

from __future__ import annotations

import json
import struct
from itertools import count, pairwise

from dcl_comms_station.board.board import Board
from dcl_comms_station.board.frames import HEAD_BYTES, POSITION_BYTES
from dcl_comms_station.board.hearing import Heard, Picture, Seen
from dcl_comms_station.board.limits import StationLimits
from dcl_comms_station.board.messages import Closing, Source
from dcl_comms_station.board.observed import Acknowledged, Received, Sent, Step
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dcl_comms_core import events as ev
from dcl_comms_core.codec import encode_chat, encode_movement
from dcl_comms_core.commands import SendData
from dcl_comms_core.inputs import LinkRef
from dcl_comms_core.packets.events import MovementKind, Vector3
from dcl_comms_core.peers import Arrival, PeerId
from dcl_comms_core.proto import rfc4

LIMITS = StationLimits(pages=3, queue=20, chat=40, events=40, snapshot=15, peers=8, packets=60, history=60, sound_ms=50)
TRACKS = ("TR_a", "TR_b", "TR_c")
PIECE = 960
"""Bytes of 10 ms of sound."""
PLANES = bytes(16 * 16 * 3 // 2)
ME = PeerId("0x" + "0" * 40)
PEERS = [PeerId(f"0x{number:040x}") for number in range(1, 12)]
LINK = LinkRef(1, 1)
VIEW = {
    "map": {"on": True, "hz": 20},
    "packets": {"on": True, "filter": "", "rows": 5},
    "peers": {"on": True, "rows": 5},
    "stats": {"on": True},
    "learn": {"on": True},
    "time": {"on": True},
    "media": {"on": True},
    "audio": list(TRACKS[:2]),
    "video": [TRACKS[2]],
}


class Shown:
    """What a page makes of its frames."""

    def __init__(self):
        self.seq = 0
        self.peers: dict[int, dict] = {}
        self.places: dict[int, tuple] = {}
        self.chats: dict[int, dict] = {}
        self.state: dict = {}
        self.events: dict[int, dict] = {}
        self.answers: dict[int, dict] = {}
        self.undrawn: list[int] = []
        self.heard: dict[int, list[int]] = {}
        self.seen: dict[int, int] = {}

    def take(self, frame):
        if isinstance(frame, bytes):
            kind, version, rows, seq, _ = struct.unpack_from("<BBHId", frame)
            assert version == 1
            if kind != 1:
                self._next(seq)
                self._perceive(kind, frame[HEAD_BYTES:])
                return
            assert len(frame) == HEAD_BYTES + rows * POSITION_BYTES
            self._next(seq)
            for row in range(rows):
                slot, *rest = struct.unpack_from("<HBBfffHH", frame, HEAD_BYTES + row * POSITION_BYTES)
                assert slot in self.peers, "a position of somebody who was not told"
                self.places[slot] = tuple(rest[2:5])
            return
        assert len(frame) <= 65_536
        told = json.loads(frame)
        if "re" in told:
            self.answers[told["re"]] = told
            return
        self._next(told["s"])
        for event in told["ev"]:
            self._apply(event)

    def _perceive(self, kind, body):
        track, many = struct.unpack_from("<HH", body)
        if kind == 2:
            assert track < 2
            assert len(body) == 4 + 2 * many <= 4 + 5 * PIECE, "half a second at most waits, here less"
            numbers = [body[at] for at in range(4, len(body), PIECE)]
            self.heard.setdefault(track, []).extend(numbers)
        else:
            assert (kind, track) == (3, 0)
            assert body[8:-1] == PLANES[:-1]
            self.seen[track] = body[-1]

    def _next(self, seq):
        assert seq == self.seq + 1, "frames are counted without a gap"
        self.seq = seq
        self.undrawn.append(seq)

    def _apply(self, event):
        match event["k"]:
            case "reset":
                self.peers, self.places, self.chats, self.events = {}, {}, {}, {}
            case "peer":
                before = self.peers.get(event["slot"])
                if before is not None and before["id"] != event["id"]:
                    self.places.pop(event["slot"], None)
                self.peers[event["slot"]] = event
            case "gone":
                self.peers.pop(event["slot"])
                self.places.pop(event["slot"], None)
            case "chat":
                self.chats[event["n"]] = event
            case "event":
                self.events[event["n"]] = event
            case "state":
                self.state = event


def moved(who, at, place):
    x, y, z = place
    message = rfc4.Movement(timestamp=at, position_x=x, position_y=y, position_z=z)
    return ev.PeerMoved(
        at=at, room="island", sender=who, private=False, position=Vector3(x, y, z), velocity=Vector3(0.0, 0.0, 0.0),
        yaw=90.0, kind=MovementKind.MOVEMENT, message=message,
    )  # fmt: skip


def opened(t):
    return Step(t, ev.RoomOpened(at=t, room="island", identity=ME, name="island-1", sid=""))


class BoardModel(RuleBasedStateMachine):
    """Pages come, go, draw late or never; peers come, go, move and talk; two Boards are told the same."""

    def __init__(self):
        super().__init__()
        self.now = 1_800_000_000.0
        self.boards = [Board(limits=LIMITS), Board(limits=LIMITS)]
        self.pages: dict[int, Shown] = {}
        self.numbers, self.asked, self.tokens = count(1), count(1), count(1)
        self.here: dict[PeerId, tuple | None] = {}
        self.sounded = dict.fromkeys(TRACKS, 0)

    def each(self, do):
        """The same for both; they answer the same."""
        for board in self.boards:
            do(board)
        self.drain()

    def drain(self):
        for number in list(self.pages):
            frames = []
            for board in self.boards:
                page = board.page(number)
                frames.append(None if page is None else list(page.frames))
                if page is not None:
                    page.frames.clear()
            assert frames[0] == frames[1], "the same observations at the same times give the same frames"
            if frames[0] is None:
                del self.pages[number]
                continue
            for frame in frames[0]:
                self.pages[number].take(frame)
            closing = next(page.closing for page in self.boards[0].pages if page.number == number)
            if closing is not None:
                assert closing == Closing.SLOW
                for board in self.boards:
                    board.gone(number)
                del self.pages[number]

    def see(self, *seen):
        self.each(lambda board: board.observe(seen, now=self.now))

    @initialize()
    def begin(self):
        self.each(lambda board: board.begin(Source(kind="target", target="x"), now=self.now))
        self.see(opened(self.now))

    @rule(read_only=st.booleans())
    def page_comes(self, read_only):
        number = next(self.numbers)
        made = [board.connect(number, read_only=read_only, now=self.now) for board in self.boards]
        if len(self.pages) >= LIMITS.pages:
            assert {page.closing for page in made} == {Closing.TOO_MANY}
            return
        self.pages[number] = Shown()
        self.say(number, {"id": 0, "do": "hello", "protocol": 1, "view": VIEW})

    @rule(pick=st.integers(0, 2))
    def page_goes(self, pick):
        if self.pages:
            number = sorted(self.pages)[pick % len(self.pages)]
            del self.pages[number]
            self.each(lambda board: board.gone(number))

    def say(self, number, message):
        self.each(lambda board: board.receive(number, json.dumps(message), now=self.now))

    @rule(pick=st.integers(0, 2), how=st.integers(1, 3))
    def page_draws(self, pick, how):
        if self.pages:
            number = sorted(self.pages)[pick % len(self.pages)]
            undrawn = self.pages[number].undrawn
            if undrawn:
                seq = undrawn[min(how, len(undrawn)) - 1]
                self.pages[number].undrawn = [one for one in undrawn if one > seq]
                self.say(number, {"ack": seq})

    @rule(
        pick=st.integers(0, 2),
        text=st.sampled_from(["", "kind:chat", "kind:(", "dir:out", "size>10"]),
        anchor=st.sampled_from([None, 0, 7, 10_000]),
    )
    def page_looks(self, pick, text, anchor):
        if self.pages:
            number = sorted(self.pages)[pick % len(self.pages)]
            view = {**VIEW, "packets": {"on": True, "filter": text, "anchor": anchor, "rows": 7}}
            asked = next(self.asked)
            self.say(number, {"id": asked, "do": "view", **view})
            if number in self.pages:
                errors = self.pages[number].answers[asked]["ok"]["errors"]
                assert bool(errors) is (text == "kind:(")

    @rule(pick=st.integers(0, 2))
    def page_hides_and_is_back(self, pick):
        if self.pages:
            number = sorted(self.pages)[pick % len(self.pages)]
            self.say(number, {"id": next(self.asked), "do": "pause"})
            if number in self.pages:
                self.say(number, {"id": next(self.asked), "do": "resume"})

    @rule(seconds=st.sampled_from([0.01, 0.05, 0.3, 1.0, 12.0]))
    def time_passes(self, seconds):
        until = self.now + seconds
        while (due := self.boards[0].deadline()) is not None and due <= until:
            assert due == self.boards[1].deadline()
            before = self.now
            self.now = max(due, self.now)
            self.each(lambda board: board.handle_timeout(self.now))
            after = self.boards[0].deadline()
            assert after is None or after > before or self.now > before or after != due, "a deadline that stays"
        self.now = until

    @rule(pick=st.integers(0, 2), audio=st.sets(st.sampled_from(TRACKS)), video=st.sets(st.sampled_from(TRACKS)))
    def page_listens_to_others(self, pick, audio, video):
        if self.pages:
            number = sorted(self.pages)[pick % len(self.pages)]
            self.pages[number].heard = {}
            # What it listens to is in what it says anew each time; here it comes back to what it had.
            for view in ({**VIEW, "audio": sorted(audio), "video": sorted(video)}, VIEW):
                if number in self.pages:
                    self.say(number, {"id": next(self.asked), "do": "view", **view})

    @rule(sid=st.sampled_from(TRACKS[:2]), many=st.integers(1, 12))
    def a_track_sounds(self, sid, many):
        """Each piece has a number, which is higher than that before it."""
        pieces = []
        for _ in range(many):
            self.sounded[sid] = (self.sounded[sid] + 1) % 256
            pieces.append(Heard(sid, bytes([self.sounded[sid]]) * PIECE))
        self.each(lambda board: board.perceive(pieces, None, now=self.now))

    @rule(number=st.integers(0, 255))
    def a_track_shows(self, number):
        seen = Seen(TRACKS[2], Picture(16, 16, 0, PLANES[:-1] + bytes([number])))
        self.each(lambda board: board.perceive([seen], None, now=self.now))

    @rule(who=st.sampled_from(PEERS))
    def peer_comes(self, who):
        self.see(Step(self.now, ev.PeerJoined(at=self.now, room="island", sender=who, arrival=Arrival.NEW)))
        if self.boards[0].stage.people.get(who) is not None:
            self.here.setdefault(who, None)

    @rule(who=st.sampled_from(PEERS))
    def peer_goes(self, who):
        self.see(Step(self.now, ev.PeerLeft(at=self.now, room="island", sender=who)))
        self.here.pop(who, None)

    @rule(who=st.sampled_from(PEERS), x=st.floats(-1e4, 1e4, width=32), z=st.floats(-1e4, 1e4, width=32))
    def peer_moves(self, who, x, z):
        data = encode_movement(timestamp=1.0, position_x=x, position_z=z, protocol_version=100)
        seen = [Received(self.now, "island", who, data, False, "", False, "told")]
        if who in self.here:
            seen.append(Step(self.now, moved(who, self.now, (x, 0.0, z))))
            self.here[who] = (x, 0.0, z)
        self.see(*seen)

    @rule(who=st.sampled_from(PEERS), text=st.text(max_size=60), many=st.sampled_from([1, 1, 30]))
    def peer_talks(self, who, text, many):
        for one in range(many):
            chat = ev.ChatReceived(
                at=self.now, room="island", sender=who, private=False, text=text, sent_at=None, timestamp=float(one),
                forwarded_from=None,
            )  # fmt: skip
            self.see(Step(self.now, chat))

    @rule(text=st.text(min_size=1, max_size=20), failed=st.booleans())
    def we_talk(self, text, failed):
        token = next(self.tokens)
        data = encode_chat(message=text.encode(errors="replace").decode(), timestamp=1.0, protocol_version=100)
        command = SendData(link=LINK, token=token, data=data, to=None, reliable=True)
        self.see(Sent(self.now, "island", command), Acknowledged(self.now, "island", (token,), failed))

    @invariant()
    def sound_comes_in_order(self):
        for shown in self.pages.values():
            for heard in shown.heard.values():
                steps = [(after - before) % 256 for before, after in pairwise(heard[-100:])]
                assert all(0 < step < 200 for step in steps), "each is newer than what was before it"

    @invariant()
    def pages_cost_no_more_than_they_may(self):
        for board in self.boards:
            assert len(board.pages) <= LIMITS.pages
            for page in board.pages:
                assert page.waiting <= LIMITS.queue
                assert page.undrawn <= LIMITS.unacknowledged
                assert page.hearing.waiting_bytes <= 2 * 5 * PIECE + len(PLANES)
                if page.ready and page.open and not page.paused:
                    assert page.hearing.waiting_bytes == 0, "who draws is sent what there is"
            stage = board.stage
            assert len(stage.packets) <= LIMITS.packets
            assert len(stage.talk) <= LIMITS.chat
            assert len(stage.log) <= LIMITS.events
            assert len(stage.people) <= LIMITS.peers
            assert len(board.remembered) <= LIMITS.history

    def teardown(self):
        """Who draws everything has what a page has that comes now."""
        for number in list(self.pages):
            for _ in range(200):
                if number not in self.pages:
                    break
                shown = self.pages[number]
                if not shown.undrawn and not self.boards[0].page(number).waits:
                    break
                if shown.undrawn:
                    seq, shown.undrawn = shown.undrawn[-1], []
                    self.say(number, {"ack": seq})
            if number not in self.pages:
                continue
            self.now += 0.06
            self.each(lambda board: board.handle_timeout(self.now))
        if len(self.pages) >= LIMITS.pages:
            self.page_goes(0)
        self.page_comes(read_only=False)
        fresh = self.pages[max(self.pages)]
        for _ in range(50):
            if not fresh.undrawn:
                break
            seq, fresh.undrawn = fresh.undrawn[-1], []
            self.say(max(self.pages), {"ack": seq})
        for shown in self.pages.values():
            assert shown.peers == fresh.peers
            assert shown.state == fresh.state
            known = shown.chats.keys() & fresh.chats.keys()
            assert fresh.chats.keys() <= shown.chats.keys()
            assert {n: shown.chats[n] for n in known} == {n: fresh.chats[n] for n in known}
            assert fresh.events.keys() <= shown.events.keys()
            assert shown.places == fresh.places
        by_id = {told["id"]: slot for slot, told in fresh.peers.items()}
        assert by_id.keys() == {ME.text, *(who.text for who in self.here)}
        for who, place in self.here.items():
            assert fresh.places.get(by_id[who.text]) == place, "the newest position"


TestBoard = BoardModel.TestCase
TestBoard.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
