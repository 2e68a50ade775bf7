"""The Station over real sockets: its own realm, a page that looks and acts, and how either ends."""

from __future__ import annotations

import asyncio
import csv
import http.client
import json
import signal
import struct
import time

import pytest
from dcl_comms_drivers import polled
from dcl_comms_drivers.realm.rooms import has_rooms
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station.board.asked import Refused
from dcl_comms_station.board.limits import StationLimits
from dcl_comms_station.board.messages import PROTOCOL
from dcl_comms_station.loops import LOOPS
from dcl_comms_station.recording import open_recording
from dcl_comms_station.recording.export import COLUMNS, ndjson_lines, plain_rows
from dcl_comms_station.web.gate import HEADERS, SUBPROTOCOL
from dcl_comms_station.web.links import Exports
from dcl_comms_station.web.pages import serve_page
from dcl_comms_station.web.station import Station
from rigs.station.files import ADA, came, chat, left, moved, written
from rigs.station.files import opened as opened_room
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from dcl_comms_core.events import ChatReceived

BOTH_LOOPS = pytest.mark.parametrize("loop", sorted(LOOPS))


def opened(page):
    return page.until(lambda: page.last("state", state="open"))


@BOTH_LOOPS
def test_without_a_target_something_moves_and_talks(loop, station, page):
    with station(loop=loop) as process:
        shown = page(process.url)
        state = opened(shown)
        assert state["source"] == "own"
        bots = shown.until(
            lambda: (
                {e["slot"]: e for e in shown.all("peer") if e["kind"] == "bot"}
                if len({e["slot"] for e in shown.all("peer") if e["kind"] == "bot"}) == 3
                else None
            )
        )
        assert {bot["name"] for bot in bots.values()} == {"Ada", "Bo", "Cy"}
        shown.until(lambda: all(len(set(shown.places.get(slot, ()))) > 1 for slot in bots))
        # Chat both ways, and what becomes of ours.
        assert "room.chat" in shown.do("chat", text="!where")["python"]
        shown.until(lambda: shown.last("chat", text="!where", state="taken", ours=True))
        heard = shown.until(lambda: [e for e in shown.all("chat") if " is at " in e["text"]])[0]
        assert heard["from"] in bots
        assert heard["name"] == bots[heard["from"]]["name"]
        # A walk shows as our own positions.
        shown.do("walk", point=[9.0, 0.0, 0.0])
        shown.until(lambda: any(x >= 8.9 for x, _, _ in shown.places.get(0, ())))
        assert shown.last("stats")["peers"] == 3
    assert process.returncode == 130
    assert process.out == ""
    assert "Traceback" not in process.err


def test_chat_both_ways_and_packets_are_taken_apart(station, page):
    with station("--bots", "0") as process:
        view = {"packets": {"on": True, "rows": 20}, "map": {"on": True}, "learn": {"on": True}, "peers": {"on": True}}
        shown = page(process.url, view=view)
        opened(shown)
        realm = shown.until(lambda: shown.last("realm"))
        with polled.open(realm["url"], wallet=DisposableWallet(), subscribe="none") as other:
            told: list = []

            def heard(text):
                other.wait(0.05)
                told.extend(other.poll())
                return [e for e in told if isinstance(e, ChatReceived) and e.text == text]

            peer = None
            limit = time.monotonic() + 60
            while peer is None or "island" not in peer["rooms"]:
                assert time.monotonic() < limit
                heard("")
                if other.identity is not None and other.driver.session.state.value == "open":
                    other.announce_profile(1)
                shown.do("pause")
                shown.do("resume")
                peer = shown.last("peer", id=str(other.identity))
            answer = shown.do("chat", text="to all")
            assert "python" in answer, answer
            while not heard("to all"):
                assert time.monotonic() < limit
            other.chat("hello Station")
            while shown.last("chat", text="hello Station") is None:
                heard("")
                shown.do("view", **view)
            chat = shown.last("chat", text="hello Station")
            assert (chat["from"], chat["ours"], chat["private"]) == (peer["slot"], False, False)
            answer = shown.do("whisper", text="psst", to=[peer["id"]])
            if has_rooms():
                while not (whispered := heard("psst")):
                    assert time.monotonic() < limit
                assert whispered[0].private
            else:  # a ws-room has no whispers: it is said why
                assert answer["code"] == "failed"
            rows = shown.until(
                lambda: [r for e in shown.all("rows") for r in e["rows"] if r["text"].endswith("hello Station")]
            )
            packet = shown.do("packet", n=rows[0]["n"])
            (chat_node,) = [node for node in packet["tree"] if node["name"] == "chat"]
            (text_node,) = [node for node in chat_node["children"] if node["name"] == "message"]
            data = bytes.fromhex(packet["hex"])
            assert data[text_node["body"] : text_node["to"]] == b"hello Station"
            assert text_node["value"] == '"hello Station"'
            for kind in (kind["kind"] for kind in shown.do("kinds")["kinds"]):
                sent = shown.do("send", kind=kind, fields={})
                if kind in {"scene", "scene_emote"} and "size" not in sent:
                    assert "no room that this could go to" in sent["text"]
                    continue
                assert sent.get("size"), (kind, sent)
            steps = shown.do("learn", count=50)["steps"]
            assert steps[0]["name"] == "fetch"
            sheet = shown.do("peer", peer=peer["id"])
            assert sheet["row"]["rooms"] == ["island"]
            assert shown.do("find", filter="text:hello")["n"] is not None
            found = [shown.do("filter", text=text) for text in ("kind:chat", "kind:(")]
            assert [one["ok"] for one in found] == [True, False]
            assert found[1]["column"] == 6


def test_a_page_that_may_look_may_not_act(station, page):
    with station("simulator:station-read?identity=me", "--read-only") as process:
        shown = page(process.url)
        opened(shown)
        assert shown.welcome["read_only"] is True
        for do in ("chat", "move", "send", "open", "close", "record", "mark", "play"):
            assert shown.do(do)["code"] == "read_only"
        assert shown.do("filter", text="me")["ok"] is True


def test_what_is_wrong_is_said_and_harms_nothing(station, page):
    with station("simulator:station-wrong?identity=me") as process:
        shown = page(process.url)
        opened(shown)
        for message, code in (
            ({"do": "nothing"}, "unknown"),
            ({"do": "chat"}, "bad_request"),
            ({"do": "chat", "text": 7}, "bad_request"),
            ({"do": "chat", "text": "x", "to": "me"}, "bad_request"),
            ({"do": "chat", "text": "x" * 30_001}, "bad_request"),
            ({"do": "move", "position": [1, 2]}, "bad_request"),
            ({"do": "move", "position": [1, 2, "3"]}, "bad_request"),
            ({"do": "send", "kind": "nothing", "fields": {}}, "bad_request"),
            ({"do": "send", "kind": "chat", "fields": {"nothing": 1}}, "bad_request"),
            ({"do": "send", "hex": "0"}, "bad_request"),
            ({"do": "send", "hex": "00" * 40_000}, None),
            ({"do": "packet", "n": 10**9}, "not_found"),
            ({"do": "peer", "peer": "nobody"}, "not_found"),
            ({"do": "open", "target": "no target at all"}, "target"),
            ({"do": "open", "recording": 99}, "not_found"),
            ({"do": "open", "wallet": 7, "own": {}}, "wallet"),
            ({"do": "view", "peers": {"sort": "nothing"}}, "bad_request"),
            ({"do": "mark", "n": 10**9}, "not_found"),
            ({"do": "record", "on": True, "name": "../x"}, "bad_request"),
            ({"do": "upload", "name": "x", "size": 2**40}, "limit"),
            ({"do": "uploaded", "upload": 7}, "not_found"),
            ({"do": "export", "recording": 7}, "not_found"),
            ({"do": "export", "recording": 7, "as": "parquet"}, "bad_request"),
        ):
            if code is None:
                continue
            answer = shown.do(**message)
            assert answer["code"] == code, (message, answer)
        assert shown.do("chat", text="still here")["python"]


def fetch(url, path, method="GET"):
    """What is there; None: nothing."""
    line = http.client.HTTPConnection("127.0.0.1", int(url.partition("/#")[0].rpartition(":")[2]), timeout=30)
    line.request(method, path)
    answer = line.getresponse()
    body = answer.read()
    line.close()
    return body if answer.status == 200 else None


def test_a_page_reloads_and_has_what_it_had(station, page):
    with station("simulator:station-reload?identity=me") as process:
        first = page(process.url)
        opened(first)
        first.do("chat", text="before")
        first.until(lambda: first.last("chat", text="before", state="taken"))
        first.close()
        again = page(process.url)
        told = again.until(lambda: again.last("chat", text="before"))
        assert (told["state"], told["ours"]) == ("taken", True)
        assert again.last("state", state="open")["id"] == "me"


def test_pages_beyond_the_limit_are_sent_away_and_the_end_is_told(station, page):
    with station("simulator:station-many?identity=me") as process:
        shown = [page(process.url) for _ in range(8)]
        with pytest.raises(ConnectionClosed) as caught:
            page(process.url)
        assert caught.value.rcvd.code == 4409
        shown[0].close()
        process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                shown[1].take()
        assert caught.value.rcvd.code == 4410
        process.wait(60)
    assert process.returncode == 143


@pytest.mark.parametrize("first", ["no json", "[]", '{"id":1,"do":"chat","text":"x"}', '{"do":"hello"}', b"\x10\x01"])
def test_what_is_no_message_closes_the_page(first, station):
    with station("simulator:station-bad?identity=me") as process:
        base, _, token = process.url.partition("/#token=")
        with connect(
            f"ws{base.removeprefix('http')}/ws", origin=base, subprotocols=["dcl-station.1", f"token.{token}"]
        ) as ws:
            ws.send(first)
            with pytest.raises(ConnectionClosed) as caught:
                ws.recv(timeout=30)
            assert caught.value.rcvd.code == 4400


def test_another_version_is_told_to_reload(station):
    with station("simulator:station-old?identity=me") as process:
        base, _, token = process.url.partition("/#token=")
        with connect(
            f"ws{base.removeprefix('http')}/ws", origin=base, subprotocols=["dcl-station.1", f"token.{token}"]
        ) as ws:
            ws.send(json.dumps({"id": 1, "do": "hello", "protocol": PROTOCOL + 1}))
            assert json.loads(ws.recv(timeout=30))["error"]["code"] == "reload"
            with pytest.raises(ConnectionClosed) as caught:
                ws.recv(timeout=30)
            assert caught.value.rcvd.code == 4426


def test_the_gate_stands_before_all_of_it(station):
    with station("simulator:station-gate?identity=me") as process:
        base, _, token = process.url.partition("/#token=")
        port = int(base.rpartition(":")[2])

        def get(path, method="GET", **headers):
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            line.request(method, path, headers=headers)
            answer = line.getresponse()
            body = answer.read()
            line.close()
            return answer, body

        answer, body = get("/")
        assert answer.status == 200
        assert b"<html" in body.lower()
        for name, value in HEADERS:
            assert answer.headers[name.decode()] == value.decode()
        assert "server" not in answer.headers
        tag = answer.headers["etag"]
        assert get("/", **{"If-None-Match": tag})[0].status == 304
        assert get("/station.js")[0].headers["content-type"] == "text/javascript; charset=utf-8"
        assert get("/alive")[0].status == 204
        assert get("/nothing")[0].status == 404
        assert get("/../pyproject.toml")[0].status == 404
        assert get("/download/guess")[0].status == 404
        assert get("/", method="POST")[0].status == 405
        assert get("/", Host="evil.example")[0].status == 403
        assert get("/alive", Origin="http://evil.example")[0].status == 403
        for settings in (
            {"origin": "http://evil.example", "subprotocols": ["dcl-station.1", f"token.{token}"]},
            {"origin": base, "subprotocols": ["dcl-station.1"]},
            {"origin": base, "subprotocols": ["dcl-station.1", "token.wrong"]},
        ):
            with pytest.raises(InvalidStatus) as caught:
                connect(f"ws{base.removeprefix('http')}/ws", **settings)
            assert caught.value.response.status_code == 403


def test_a_target_that_is_not_there_is_told_and_another_is_opened(station, page):
    with station("ws-room:ws://127.0.0.1:9/nowhere", "--timeout", "2") as process:
        shown = page(process.url)
        closed = shown.until(lambda: shown.last("state", state="closed"))
        assert closed["error"]["reason"]
        assert shown.do("open", target="simulator:station-next?identity=me") == {}
        assert opened(shown)["target"].startswith("simulator:")
        shown.do("close")
        shown.until(lambda: shown.events[-1]["k"] and shown.last("state")["state"] == "start")
        assert shown.do("chat", text="x")["code"] == "no_session"


def test_it_records_and_plays_what_was(station, page, tmp_path):
    with station("--recordings", str(tmp_path)) as process:
        shown = page(process.url)
        opened(shown)

        # The room is told to be open a moment before it is ours: what is asked for then waits.
        assert shown.do("record", on=True, name="tour") == {"name": "tour.mcap"}
        # What was there before is written at one moment, of which nobody's step reaches what came at it.
        shown.until(lambda: ((shown.last("state") or {}).get("record") or {}).get("packets"))
        shown.do("chat", text="on the record")
        shown.until(lambda: shown.last("chat", text="on the record", state="taken"))
        before = len(set(shown.places.get(1, ())))
        shown.until(lambda: len(set(shown.places.get(1, ()))) > before)
        done = shown.do("record", on=False)
        assert done["name"] == "tour.mcap"
        assert (tmp_path / "tour.mcap").stat().st_mode & 0o077 == 0
        (listed,) = shown.do("recordings")["recordings"]
        assert (listed["name"], listed["whole"]) == ("tour.mcap", True)
        # It is downloaded once, and uploaded again in pieces.
        link = shown.do("export", recording=listed["n"])
        data = fetch(process.url, link["url"])
        assert data == (tmp_path / "tour.mcap").read_bytes()
        assert fetch(process.url, link["url"]) is None
        upload = shown.do("upload", name="mine", size=len(data))["upload"]
        for seq, begin in enumerate(range(0, len(data), 50_000)):
            head = struct.pack("<BBHId", 16, 1, upload, seq, 0.0)
            shown.socket.send(head + data[begin : begin + 50_000])
        uploaded = shown.do("uploaded", upload=upload)["recording"]
        assert uploaded != listed["n"]
        broken = shown.do("upload", name="mine", size=4)["upload"]
        shown.socket.send(struct.pack("<BBHId", 16, 1, broken, 1, 0.0) + b"late")
        assert shown.do("uploaded", upload=broken)["code"] == "failed"
        shown.events.clear()
        assert shown.do("open", recording=uploaded) == {}
        playing = shown.until(lambda: shown.last("state", state="playing"))
        assert playing["play"]["name"] == "uploaded-1.mcap"
        shown.until(lambda: shown.last("chat", text="on the record"))
        assert shown.do("chat", text="x")["code"] == "recording"
        play = shown.do("play", at=playing["play"]["from"], paused=True)
        assert play["paused"] is True
        stepped = shown.do("play", step=1, filter="kind:chat")
        assert stepped.get("at", 0.0) > playing["play"]["from"], stepped


def test_a_recording_is_downloaded_as_lines_and_as_a_table(station, page, tmp_path):
    calls = [*opened_room(0.0), *came(1.0), *moved(2.0, 1.0, 3.0), *chat(3.0, "=secret"), *left(4.0)]
    data = written(calls)
    (tmp_path / "evening.mcap").write_bytes(data)
    (tmp_path / "cut.mcap.part").write_bytes(written(calls, flush_each=1, finish=False))
    (tmp_path / "spoiled.mcap").write_bytes(data[:8])
    with station("--recordings", str(tmp_path)) as process:
        shown = page(process.url)
        numbers = {one["name"]: one["n"] for one in shown.do("recordings")["recordings"]}

        def export(name, form, **how):
            return shown.do("export", recording=numbers[name], **{"as": form}, **how)

        first = export("evening.mcap", "ndjson")
        assert (first["name"], first["notice"]) == ("evening.ndjson", None)
        assert fetch(process.url, first["url"], "HEAD") == b""
        lines = fetch(process.url, first["url"]).decode("ascii").splitlines()
        with open_recording(tmp_path / "evening.mcap") as recorded:
            assert [json.loads(line) for line in lines] == [
                json.loads(line) for line in ndjson_lines(plain_rows(recorded))
            ]
        assert fetch(process.url, first["url"]) is None

        table = export("evening.mcap", "csv", filter="kind:chat")
        assert table["name"] == "evening.csv"
        rows = list(csv.DictReader(fetch(process.url, table["url"]).decode().splitlines()))
        assert [(row["type"], row["text"]) for row in rows] == [("packet", "'=secret"), ("event", "'=secret")]

        hidden = fetch(process.url, export("evening.mcap", "ndjson", redact=True)["url"]).decode()
        assert "secret" not in hidden
        assert ADA.text.lower() not in hidden.lower()
        assert "person-1" in hidden

        cut = export("cut.mcap.part", "csv")
        assert cut["name"] == "cut.csv"
        assert "ends early" in cut["notice"]

        wrong = export("evening.mcap", "csv", filter="(")
        assert (wrong["code"], wrong["field"]) == ("filter", "filter")
        spoiled = export("spoiled.mcap", "csv")
        assert spoiled["code"] == "failed"
        assert str(tmp_path) not in spoiled["text"]
        assert export("evening.mcap", "csv", redact="yes")["code"] == "bad_request"
        # Those that nobody takes are not kept for ever.
        for _ in range(shown.welcome["limits"]["exports"]):
            newest = export("evening.mcap", "csv")
        assert fetch(process.url, cut["url"]) is None
        assert fetch(process.url, newest["url"]).startswith(b"time,type,")


def test_an_export_has_its_bounds_and_leaves_nothing(tmp_path):
    (tmp_path / "evening.mcap").write_bytes(written(chat(1.0, "hello")))
    exports = Exports(StationLimits(export_bytes=200))
    out = exports.new("ndjson")
    with pytest.raises(Refused) as caught:
        exports.write(tmp_path / "evening.mcap", out, shown=None, redact=False)
    assert caught.value.code == "limit"
    assert not out.exists()
    out = exports.new("csv")
    assert exports.write(tmp_path / "evening.mcap", out, shown="kind:emote", redact=False) == ""
    assert out.read_text(encoding="utf-8") == ",".join(COLUMNS) + "\n"
    exports.close()
    assert not out.parent.exists()
    with pytest.raises(Refused, match="can't be written") as caught:
        exports.write(tmp_path / "evening.mcap", out, shown=None, redact=False)
    assert caught.value.code == "failed"


def test_looking_back_while_it_goes_on(station, page):
    with station("simulator:station-back?identity=me") as process:
        shown = page(process.url)
        opened(shown)
        shown.do("chat", text="first")
        at = shown.until(lambda: shown.last("chat", text="first", state="taken"))["t"]
        shown.do("chat", text="second")
        shown.until(lambda: shown.last("chat", text="second", state="taken"))
        shown.events.clear()
        play = shown.do("play", at=at)
        assert (play["live"], play["paused"]) == (True, True)
        back = shown.until(lambda: shown.last("state"))
        assert back["play"]["live"] is True
        shown.until(lambda: shown.last("chat", text="first"))
        assert shown.last("chat", text="second") is None
        shown.do("play", live=True)
        shown.until(lambda: shown.last("chat", text="second"))


def test_a_page_that_is_gone_as_it_is_told_of_the_end_is_no_trouble():
    station = Station()

    async def main():
        told, gone = [], asyncio.Event()
        received = iter([{"type": "websocket.connect"}])

        async def receive():
            return next(received, None) or await gone.wait()

        async def send(message):
            told.append(message["type"])
            if message["type"] == "websocket.close":
                raise OSError

        station.start(asyncio.get_running_loop())
        ws = WebSocket({"type": "websocket", "subprotocols": [SUBPROTOCOL]}, receive, send)
        page = asyncio.ensure_future(serve_page(ws, station))
        while not told:
            await asyncio.sleep(0)
        station.end()
        await page
        station.stopped()
        return told

    assert asyncio.run(main()) == ["websocket.accept", "websocket.close"]


def test_the_time_line_of_a_recording_is_told_whole(station, page, tmp_path):
    calls = [*opened_room(0.0), *came(1.0), *moved(2.0, 1.0, 3.0), *chat(30.0, "near the end"), *left(60.0)]
    path = tmp_path / "evening.mcap"
    path.write_bytes(written(calls))
    with station(str(path)) as process:
        shown = page(process.url, view={"time": {"on": True}, "chat": {"on": True}})
        playing = shown.until(lambda: shown.last("state", state="playing"))["play"]
        assert playing["to"] - playing["from"] == 60.0
        told = shown.until(lambda: [one for one in shown.all("time") if sum(map(sum, one["bins"])) == 5])[-1]
        # In, out, chats, joins, leaves, lost, reconnects; long before it is played.
        assert [sum(column) for column in zip(*told["bins"], strict=True)] == [2, 0, 1, 1, 1, 0, 0]
        assert playing["from"] <= told["start"] <= playing["from"] + 1.0
        assert playing["to"] <= told["start"] + told["step"] * len(told["bins"]) < playing["to"] + 1.0
        assert shown.last("chat", text="near the end") is None
