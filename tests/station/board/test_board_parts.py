"""The Board's parts: texts of Learn, spans of packets, packets that are made, slow pages, what plays."""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from typing import get_args

import pytest
from dcl_comms_station.board.asked import Arguments, Refused
from dcl_comms_station.board.asking import check
from dcl_comms_station.board.board import Board
from dcl_comms_station.board.frames import HEAD_BYTES
from dcl_comms_station.board.hearing import Heard, Picture, Seen
from dcl_comms_station.board.learning.texts import CHAPTERS, PACKET_TEXTS, TEXTS
from dcl_comms_station.board.limits import StationLimits
from dcl_comms_station.board.making.composing import compose, forms
from dcl_comms_station.board.making.spans import tree_of
from dcl_comms_station.board.messages import Closing, Source
from dcl_comms_station.board.observed import Counted, Missed, Received, Step
from dcl_comms_station.board.player import Player, Remembered
from dcl_comms_station.board.store.rates import Bins
from dcl_comms_station.board.store.stage import Stage
from dcl_comms_station.recording import Newest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.canary import assert_no_secret
from rigs.drivers.tokens import make_token

from dcl_comms_core import commands, inputs
from dcl_comms_core import events as ev
from dcl_comms_core.codec import decode_kind, encode_chat, encode_movement
from dcl_comms_core.packets.events import MovementKind
from dcl_comms_core.peers import Arrival, PeerId
from dcl_comms_core.proto import TABLES, rfc4
from dcl_comms_core.states import CloseReason, Retry

NOW = 1_800_000_000.0
ADA = PeerId("0x" + "ad" * 20)


def members(union):
    found = set()
    for one in get_args(union):
        found |= members(one) if get_args(one) else {one}
    return found


def test_every_input_command_and_event_has_a_text():
    assert members(inputs.Input) | members(commands.Command) | members(ev.Event) == TEXTS.keys()


def test_every_kind_of_packet_has_a_text():
    packet = next(table for table in TABLES if table.cls is rfc4.Packet)
    assert {one.name for one in packet.fields if one.message is not None} | {None} == PACKET_TEXTS.keys()


def test_texts_are_in_chapters_and_name_files_of_ours():
    from pathlib import Path

    import dcl_comms_core

    root = Path(dcl_comms_core.__file__).parent.parent
    for text in (*TEXTS.values(), *PACKET_TEXTS.values()):
        assert text.chapter in CHAPTERS
        assert (root / text.file).exists(), text.file
        assert text.title
        assert text.why.endswith((".", "…"))


# --- spans


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_spans_lie_within_each_other_and_never_raise(data):
    def walk(nodes, begin, end):
        last = begin
        for node in nodes:
            assert last <= node["from"] <= node["body"] <= node["to"] <= end
            last = node["to"]
            if node["children"] is not None:
                walk(node["children"], node["body"], node["to"])

    walk(tree_of(data, 300), 0, len(data))


def test_spans_say_what_is_where():
    data = encode_movement(timestamp=1.5, position_x=8.0, is_grounded=True, protocol_version=100)
    movement, version = tree_of(data, 300)
    assert (movement["name"], movement["type"], version["value"]) == ("movement", "Movement", "100")
    by_name = {node["name"]: node for node in movement["children"]}
    assert (by_name["position_x"]["value"], by_name["position_x"]["unit"]) == ("8", "m")
    assert by_name["is_grounded"]["value"] == "true"
    unknown, bad = tree_of(b"\xa8\x06\x01\x0a\x05x", 300)
    assert (unknown["name"], unknown["known"]) == ("unknown field 101", False)
    assert "announced" in bad["value"]


def test_a_tree_has_an_end():
    assert len(tree_of(b"\x58\x01" * 1_000, 300)) == 300


# --- composing


def test_every_kind_can_be_made():
    for form in forms():
        made = compose(Arguments({"kind": form["kind"], "fields": {}}))
        assert decode_kind(made.data)[0] == form["kind"]
        assert form["kind"] in made.python


def test_what_is_made_says_the_python_that_does_the_same():
    made = compose(Arguments({"kind": "chat", "fields": {"message": "hi", "timestamp": 1.5}, "to": ["0xab"]}))
    assert made.python == (
        "room.send_nowait(rfc4.Packet(chat=rfc4.Chat(message='hi', timestamp=1.5), protocol_version=100), to=['0xab'])"
    )
    assert made.data == encode_chat(message="hi", timestamp=1.5, protocol_version=100)
    assert eval(made.python, {"rfc4": rfc4, "room": Said()}) == made.packet  # noqa: S307 - our own words


class Said:
    def send_nowait(self, packet, **_how):
        return packet


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ({"kind": "chat", "fields": {"message": 1}}, "fields.message"),
        ({"kind": "movement", "fields": {"position_x": "1"}}, "fields.position_x"),
        ({"kind": "movement", "fields": {"is_grounded": 1}}, "fields.is_grounded"),
        ({"kind": "scene", "fields": {"data": "zz"}}, "fields.data"),
        ({"kind": "movement", "fields": {"glide_state": "nothing"}}, "fields.glide_state"),
        ({"kind": "profile_version", "fields": {"profile_version": -1}}, "fields"),
        ({"hex": "abc"}, "hex"),
    ],
)
def test_what_can_not_be_made_names_the_field(given_, field):
    with pytest.raises(Refused) as caught:
        compose(Arguments(given_))
    assert caught.value.field == field


# --- pages


def hello(board, number=1, view=None, now=NOW):
    page = board.connect(number, read_only=False, now=now)
    board.receive(number, json.dumps({"id": 0, "do": "hello", "protocol": 1, "view": view or {}}), now=now)
    return page


def test_a_page_that_draws_nothing_is_closed_after_its_time():
    board = Board()
    page = hello(board)
    assert page.closing is None
    due = board.deadline()
    assert due == NOW + 30.0
    board.handle_timeout(due)
    assert page.closing == Closing.SLOW


def test_a_page_that_hides_gets_a_sign_of_life_and_nothing_else():
    board = Board()
    board.begin(Source(kind="target", target="x"), now=NOW)
    page = hello(board, view={"map": {"on": True}, "stats": {"on": True}})
    board.receive(1, '{"ack": 99}', now=NOW)
    board.receive(1, '{"id": 1, "do": "pause"}', now=NOW)
    page.frames.clear()
    board.observe([Step(NOW, ev.PeerJoined(at=0.0, room="main", sender=ADA))], now=NOW)
    now = NOW
    for _ in range(3):
        now = board.deadline()
        board.handle_timeout(now)
        board.receive(1, '{"ack": 99}', now=now)
    told = [json.loads(frame) for frame in page.frames]
    assert {event["k"] for frame in told for event in frame["ev"]} == {"ping"}


def test_a_slow_page_is_sent_of_everything_in_turn():
    board = Board()
    board.begin(Source(kind="target", target="x"), now=NOW)
    board.observe([Step(NOW, ev.PeerJoined(at=NOW, room="island", sender=ADA, arrival=Arrival.NEW))], now=NOW)
    board.connect(1, read_only=False, now=NOW)
    view = {"map": {"on": True, "hz": 20}, "audio": ["TR_a", "TR_b"], "video": ["TR_c"]}
    board.receive(1, json.dumps({"id": 0, "do": "hello", "protocol": 1, "view": view}), now=NOW)
    page = board.page(1)
    frames = []
    for tick in range(200):
        now = NOW + tick / 10
        moved = ev.PeerMoved(
            at=now, room="island", sender=ADA, private=False, position=ev.Vector3(tick, 0.0, 0.0),
            velocity=ev.Vector3(0.0, 0.0, 0.0), yaw=0.0, kind=MovementKind.POSITION, message=rfc4.Position(),
        )  # fmt: skip
        board.observe([Step(now, moved)], now=now)
        sounds = [Heard("TR_a", bytes(960)), Heard("TR_b", bytes(960))]
        board.perceive([*sounds, Seen("TR_c", Picture(2, 2, 0, bytes(6)))], None, now=now)
        frames += page.frames
        page.frames.clear()
        # It draws one frame in the time in which four more are due.
        board.receive(1, json.dumps({"ack": tick + 1}), now=now)
    kinds = Counter(
        (frame[0], *struct.unpack_from("<H", frame, HEAD_BYTES)) if frame[0] > 1 else (1,)
        for frame in frames
        if isinstance(frame, bytes)
    )
    assert kinds.keys() == {(1,), (2, 0), (2, 1), (3, 0)}
    assert kinds[1,] > 40
    assert kinds[3, 0] > 40
    assert abs(kinds[2, 0] - kinds[2, 1]) <= 1
    assert page.hearing.lost_ms("TR_a") == 0


def test_who_asks_too_fast_is_told_so_and_nothing_is_done():
    board = Board(limits=StationLimits(page_messages=5))
    page = hello(board)
    page.frames.clear()
    for number in range(20):
        board.receive(1, json.dumps({"id": number, "do": "filter", "text": "me"}), now=NOW)
    answers = [json.loads(frame) for frame in page.frames if "re" in frame]
    assert sum("error" in answer for answer in answers) == 11
    assert {answer["error"]["code"] for answer in answers if "error" in answer} == {"too_fast"}
    board.receive(1, '{"id": 99, "do": "filter", "text": "me"}', now=NOW + 1.0)
    assert "ok" in json.loads(page.frames[-1])


def test_what_nobody_took_in_time_is_told():
    board = Board()
    board.begin(Source(kind="target", target="x"), now=NOW)
    page = hello(board)
    board.receive(1, '{"ack": 99}', now=NOW)
    board.observe([Missed(NOW, 7)], now=NOW)
    assert '"what":"mailbox","count":7' in page.frames[-1]


def test_a_connection_string_is_told_without_its_token():
    token = make_token(identity="me", room="room")
    told = check(f"livekit:wss://example.com?access_token={token}", NOW)
    assert (told["kind"], told["identity"], told["room"]) == ("livekit", "me", "room")
    assert_no_secret(token, json.dumps(told))
    assert check("no target at all", NOW)["error"]["code"] == "target"
    assert check("https://realm.example/main", NOW)["kind"] == "realm"


def test_of_two_islands_the_older_ends_after_the_next_has_opened():
    def told(kind, **fields):
        return Step(NOW, kind(at=0.0, room="island", **fields))

    opened = [told(ev.RoomOpened, identity=PeerId("me"), name=name, sid="") for name in ("first", "second")]
    closed = told(ev.RoomClosed, reason=CloseReason.CLIENT, retry=Retry.NEVER)
    here = told(ev.PeerJoined, sender=ADA)
    stage, newest = Stage(StationLimits()), Newest()
    for seen in (opened[0], here, opened[1], closed):
        stage.observe(seen)
        newest.take(seen.item)
    assert stage.entering.state == "open"
    assert [room.name for room in stage.entering.rooms.values()] == ["second"]
    assert stage.people.get(ADA).rooms == ["island"]
    assert [type(event) for event in newest.events()] == [ev.RoomOpened, ev.PeerJoined]
    stage.observe(closed)
    newest.take(closed.item)
    assert (stage.entering.state, stage.entering.rooms) == ("reconnecting", {})
    assert list(newest.events()) == []


# --- what plays


def chats(*texts):
    seen = [Step(NOW, ev.RoomOpened(at=0.0, room="main", identity=PeerId("me"), name="x", sid=""))]
    for at, text in enumerate(texts, 1):
        chat = ev.ChatReceived(
            at=float(at), room="main", sender=ADA, private=False, text=text, sent_at=None, timestamp=0.0,
            forwarded_from=None,
        )  # fmt: skip
        data = encode_chat(message=text, protocol_version=100)
        seen += [Received(NOW + at, "main", ADA, data, True, "", False, "told"), Step(NOW + at, chat)]
    return seen


def told_chats(page):
    frames = [json.loads(frame) for frame in page.frames if isinstance(frame, str) and '"ev"' in frame]
    events = [event for frame in frames for event in frame["ev"]]
    last = max((at for at, event in enumerate(events) if event["k"] == "reset"), default=0)
    return [event["text"] for event in events[last:] if event["k"] == "chat"]


@pytest.mark.parametrize(
    ("anchor", "shown"), [(None, [1, 2]), (0, [0, 1]), (1, [1, 2]), (2, [2]), (3, [1, 2]), (900, [1, 2])]
)
def test_a_place_of_another_list_shows_the_end_of_this_one(anchor, shown):
    board = Board()
    board.begin(Source(kind="target", target="x"), now=NOW)
    board.observe(chats("one", "two", "three"), now=NOW + 4.0)
    page = hello(
        board, view={"packets": {"on": True, "filter": "kind:chat", "anchor": anchor, "rows": 2}}, now=NOW + 4.0
    )
    board.receive(1, '{"ack": 99}', now=NOW + 4.0)
    board.handle_timeout(NOW + 5.0)
    events = [event for frame in page.frames for event in json.loads(frame).get("ev", []) if event["k"] == "rows"]
    said = [f"says: {text}" for text in ("one", "two", "three")]
    assert events[-1]["matching"] == [0, 3]
    assert [row["text"] for row in events[-1]["rows"]] == [said[at] for at in shown]
    assert events[-1]["first"] == shown[0]
    assert events[-1]["follow"] is (anchor is None)


def test_a_recording_plays_by_a_clock_that_can_be_set():
    board = Board()
    page = hello(board)
    board.receive(1, '{"ack": 99}', now=NOW)
    board.play(Remembered("x", chats("one", "two", "three")), Source(kind="recording", target="x"), now=NOW)
    now = NOW
    while (due := board.deadline()) is not None and due <= NOW + 2.5:
        now = max(due, now)
        board.handle_timeout(now)
        board.receive(1, '{"ack": 99}', now=now)
    assert told_chats(page) == ["one", "two"]
    board.receive(1, json.dumps({"id": 1, "do": "play", "at": NOW + 1.5, "paused": True}), now=now)
    board.receive(1, '{"ack": 99}', now=now)
    assert told_chats(page) == ["one"]
    board.receive(1, json.dumps({"id": 2, "do": "play", "step": 1, "filter": "text:three"}), now=now)
    board.receive(1, '{"ack": 99}', now=now)
    assert told_chats(page)[-1] == "three"
    board.receive(1, json.dumps({"id": 3, "do": "chat", "text": "x"}), now=now)
    assert '"code":"recording"' in page.frames[-1]


def test_the_same_observations_give_the_same_state_live_and_played():
    seen = [*chats("one", "two"), Counted(NOW + 2.5, {"round_trip": 0.01, "lost": {}, "can": {}})]
    live, played = Board(), Board()
    live.begin(Source(kind="recording", target="x"), now=NOW)
    live.observe(seen, now=NOW + 3.0)
    played.play(Remembered("x", seen), Source(kind="recording", target="x"), now=NOW)
    played.seek(NOW + 2.5, now=NOW)
    assert [line.told() for line in live.stage.talk.newest(9)] == [line.told() for line in played.stage.talk.newest(9)]
    assert live.stage.stats(NOW + 3.0) == played.stage.stats(NOW + 3.0)
    assert live.stage.steps.some(0, 50) == played.stage.steps.some(0, 50)


def test_a_player_stops_at_its_end_and_begins_again():
    player = Player(Remembered("x", chats("one")), NOW)
    assert len(list(player.take(NOW + 9.0))) == 3
    assert player.paused
    assert player.deadline(NOW + 9.0) is None
    player.change(NOW + 9.0, paused=False, speed=99.0)
    assert player.speed == 16.0
    assert player.time(NOW + 9.0) < NOW + 0.1


def test_bins_are_of_the_last_half_minute():
    bins = Bins()
    bins.add(NOW, 10)
    bins.add(NOW + 1.2, 20)
    assert bins.spark(NOW + 1.5)[-2:] == [1, 1]
    assert bins.per_second(NOW + 3.0, over=3) == (2 / 3, 10.0)
    assert bins.spark(NOW + 60.0) == [0] * 30


@given(number=st.floats(width=32), exact=st.floats(), text=st.text(max_size=50))
def test_what_a_tree_says_gives_the_same_bytes_again(number, exact, text):
    packet = rfc4.Packet(movement=rfc4.Movement(position_x=number), chat=None)
    said = rfc4.Packet(chat=rfc4.Chat(message=text, timestamp=exact))
    for made, name, value, form in (
        (packet, "position_x", number, "<f"), (said, "timestamp", exact, "<d"), (said, "message", text, ""),
    ):  # fmt: skip
        (whole,) = (node for node in tree_of(bytes(made), 300) if node["children"] is not None)
        told = [node["value"] for node in whole["children"] if node["name"] == name]
        if not told:  # a zero, or nothing
            assert not value
        elif name == "message":
            assert json.loads(told[0]) == text
        elif math.isnan(value):
            assert told == ["nan"]
        else:
            assert struct.pack(form, float(told[0])) == struct.pack(form, value)
