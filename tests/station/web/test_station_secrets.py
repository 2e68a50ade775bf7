"""No secret in any frame, in any recording, in what is printed: keys, login signatures, tokens of rooms."""

from __future__ import annotations

import re
from pathlib import Path

from rigs.core.canary import assert_no_secret
from rigs.drivers.tokens import make_token

KEY = "0x" + "5ec7e7" * 10 + "abcd"
SIGNATURE = re.compile(rb"(?:0x)?[0-9a-f]{130}")
EVERYTHING = {
    "map": {"on": True},
    "peers": {"on": True, "rows": 200},
    "packets": {"on": True, "rows": 200},
    "chat": {"on": True},
    "learn": {"on": True},
    "time": {"on": True},
    "stats": {"on": True},
}


def raw_of(page):
    return [frame.encode() if isinstance(frame, str) else frame for frame in page.raw]


def test_a_key_and_what_it_signs_stay_in_the_process(station, page, tmp_path):
    key = tmp_path / "bot.key"
    key.write_text(KEY)
    key.chmod(0o600)
    with station("--wallet", str(key), "--recordings", str(tmp_path), "--record") as process:
        arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        shown = page(process.url, view=EVERYTHING)
        state = shown.until(lambda: shown.last("state", state="open"))
        assert state["id"] != state["target"]
        shown.do("chat", text="hello")
        shown.until(lambda: shown.last("chat", text="hello", state="taken"))
        first, end = 0, 1
        while first < end:
            told = shown.do("learn", **{"from": first})
            first, end = first + 50, told["end"]
        for n in range(1, 12):
            shown.do("packet", n=n)
        for bot in {event["id"] for event in shown.all("peer")}:
            shown.do("peer", peer=bot)
        assert "report" not in shown.do("report")
        assert len(shown.do("doctor")["findings"]) > 3
        shown.until(lambda: shown.last("stats"))
        frames = raw_of(shown)
        token = process.url.partition("token=")[2]
        shown.do("record", on=False)
    (recording,) = tmp_path.glob("*.mcap")
    everything = [*frames, arguments, process.err.encode(), recording.read_bytes()]
    assert_no_secret(KEY.removeprefix("0x"), *everything)
    assert_no_secret(token, *frames, arguments, process.err.encode(), recording.read_bytes())
    for text in everything:
        assert SIGNATURE.search(text) is None, "a login's signature is a password for as long as it lasts"


def test_a_pasted_token_goes_one_way(station, page):
    token = make_token(identity="me", room="room")
    target = f"livekit:ws://127.0.0.1:9?access_token={token}"
    with station("simulator:station-paste?identity=me", "--timeout", "3") as process:
        shown = page(process.url, view=EVERYTHING)
        shown.until(lambda: shown.last("state", state="open"))
        assert shown.do("check", text=target)["identity"] == "me"
        assert shown.do("open", target=target) == {}
        shown.until(lambda: shown.events[-1] and (shown.last("state") or {}).get("state") == "closed")
        shown.do("learn")
        shown.do("report")
        shown.do("doctor")
        frames = raw_of(shown)
    assert any(b"livekit:" in frame for frame in frames)
    assert_no_secret(token, *frames, process.err)
