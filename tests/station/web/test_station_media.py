"""Sound and pictures of a real livekit-server's rooms, to pages and from them, over the Station's own socket."""

from __future__ import annotations

import os
import threading
from itertools import count

import pytest
from dcl_comms_drivers import polled
from dcl_comms_station import watch
from dcl_comms_station.residents.humming import TUNE
from rigs.drivers.pattern import HEIGHT, WIDTH, found
from rigs.drivers.sdk_peer import SdkPeer, strongest
from rigs.station.sounds import wav_of_tone

from dcl_comms_core.events import TrackUnsubscribed

pytestmark = [pytest.mark.livekit, pytest.mark.timeout(180)]

ME, SDK = "0x" + "a1" * 20, "0x" + "5d" * 20
MEDIA = {"media": {"on": True}}
_hertz = count(500, 50)


@pytest.fixture
def room(livekit_room):
    return livekit_room()


@pytest.fixture
def peer(room):
    with SdkPeer(room.url, room.token(SDK)) as one:
        one.expect("connected")
        yield one


EACH_LOOP = pytest.mark.parametrize("served", ["asyncio", "trio"], indirect=True)


@pytest.fixture
def served(request, station, room):
    """A Station in the room, with sound and pictures."""
    loop = getattr(request, "param", "asyncio")
    with station("-", "--media", loop=loop, stdin=room.connection_string(ME) + "\n") as process:
        yield process


def looking(page, served):
    shown = page(served.url, view=MEDIA)
    shown.until(lambda: shown.last("state", state="open"))
    return shown


def track_of(shown, kind):
    """The id of the other's track, once it is told of."""
    found = shown.until(
        lambda: [
            one for peer in shown.all("peer") for one in peer["tracks"] if peer["id"] == SDK and one["kind"] == kind
        ]
    )
    return found[-1]["sid"]


def pitch_in(sound):
    import numpy as np

    samples = np.frombuffer(bytes(sound), dtype="<i2")
    return strongest(samples)[0] if samples.any() else 0.0


def media(shown, sid):
    """What was last told of a track; nothing as long as that is nothing."""
    told = shown.last("media") or {"tracks": []}
    return next((one for one in told["tracks"] if one["sid"] == sid), {"state": "", "missed": 0, "format": ""})


def speaking(shown):
    """How it stands with what we say."""
    return ((shown.last("media") or {}).get("speaking") or {}).get("state")


@EACH_LOOP
def test_a_tone_is_heard_by_who_listens_and_as_long_as_they_do(served, page, peer):
    deaf, shown = looking(page, served), looking(page, served)
    peer.tell("tone", hertz=440, seconds=60)
    sid = track_of(shown, "audio")
    shown.do("view", **MEDIA, audio=[sid])
    shown.until(lambda: len(shown.sound.get(0, b"")) > 96_000)
    assert abs(pitch_in(shown.sound[0][-48_000:]) - 440) < 5
    shown.until(lambda: media(shown, sid)["state"] == "on" and media(shown, sid)["format"] == "48 kHz")

    assert shown.do("view", **MEDIA) == {"errors": {}}
    shown.until(lambda: shown.last("peer", id=SDK)["tracks"][0]["subscribed"] is False)
    heard = len(shown.sound[0])
    shown.do("chat", text="still here")
    shown.until(lambda: shown.last("chat", text="still here", state="taken"))
    assert len(shown.sound[0]) == heard
    deaf.do("chat", text="me too")
    deaf.until(lambda: deaf.last("chat", text="me too", state="taken"))
    assert deaf.sound == {}


def test_two_pages_listen_and_one_stops(served, page, peer):
    one, other = looking(page, served), looking(page, served)
    peer.tell("tone", hertz=440, seconds=60)
    sid = track_of(one, "audio")
    for shown in (one, other):
        shown.do("view", **MEDIA, audio=[sid])
        shown.until(lambda shown=shown: len(shown.sound.get(0, b"")) > 9_600)
    one.close()
    before = len(other.sound[0])
    other.until(lambda: len(other.sound[0]) > before + 96_000)


@EACH_LOOP
def test_a_picture_is_seen(served, page, peer):
    import numpy as np

    shown = looking(page, served)
    peer.tell("video", seconds=60)
    sid = track_of(shown, "video")
    shown.do("view", **MEDIA, video=[sid])
    shown.until(lambda: len(shown.pictures) > 12)
    places = []
    for track, width, height, turns, planes in shown.pictures:
        # 320 x 240 is higher than a page gets: of two rows, and of two pixels, one.
        assert (track, width, height, turns) == (0, WIDTH // 2, HEIGHT // 2, 0)
        assert len(planes) == width * height * 3 // 2
        luma = np.frombuffer(planes[: width * height], np.uint8).reshape(height, width)
        places.append(found(luma.repeat(2, axis=0).repeat(2, axis=1)))
    seen = [place for place in places if place is not None]
    assert len(seen) >= 10
    assert len(set(seen)) > 5, "it moves"
    assert all(abs(top - left / 2) < 6 for left, top in seen)
    shown.until(lambda: media(shown, sid)["format"] == f"{WIDTH} x {HEIGHT}")


def test_what_is_no_track_and_what_is_of_another_kind_is_said(served, page, peer):
    shown = looking(page, served)
    peer.tell("tone", hertz=440, seconds=60)
    sid = track_of(shown, "audio")
    shown.do("view", **MEDIA, audio=["TR_none"], video=[sid])
    shown.until(lambda: media(shown, "TR_none")["state"] == "gone")
    shown.until(lambda: media(shown, sid)["state"] == "failed")
    assert media(shown, sid)["text"] == "this track is audio"


def test_a_track_that_is_taken_back_is_gone(served, page, peer):
    shown = looking(page, served)
    peer.tell("tone", hertz=440, seconds=60)
    sid = track_of(shown, "audio")
    shown.do("view", **MEDIA, audio=[sid])
    shown.until(lambda: shown.sound)
    peer.tell("unpublish")
    shown.until(lambda: media(shown, sid)["state"] == "gone")


def test_a_tone_of_ours_is_heard_by_others(served, page, peer):
    shown = looking(page, served)
    hertz = next(_hertz)
    answer = shown.do("publish", kind="tone", hz=hertz, seconds=8)
    assert answer["python"].startswith("async with room.publish_audio() as microphone:")
    assert shown.do("publish", kind="tone")["code"] == "busy"
    heard = peer.expect("tone")
    assert abs(heard["hertz"] - hertz) < 5
    assert heard["identity"] == ME
    shown.until(lambda: speaking(shown) == "speaking")
    assert shown.do("publish", kind="stop") == {}
    shown.until(lambda: speaking(shown) == "done")
    peer.expect("unpublished")


def test_a_tone_ends_by_itself(served, page, peer):
    shown = looking(page, served)
    shown.do("publish", kind="tone", hz=440, seconds=1)
    shown.until(lambda: speaking(shown) == "done")
    assert shown.last("media")["speaking"]["at"] == 1.0
    peer.expect("unpublished")


def send(shown, data, *, piece=50_000, seqs=None):
    assert shown.do("upload", sound=True, size=len(data)) == {"upload": 0}
    parts = [data[at : at + piece] for at in range(0, len(data), piece)]
    for seq, part in zip(seqs or count(), parts, strict=False):
        shown.send_piece(0, seq, part)


@EACH_LOOP
def test_a_wav_is_heard_by_others(served, page, peer):
    shown = looking(page, served)
    hertz = next(_hertz)
    send(shown, wav_of_tone(hertz, 8.0, rate=22_050, channels=2))
    answer = shown.do("publish", kind="wav", name="a 'name'.wav")
    assert answer["python"].endswith("await microphone.play_file(\"a 'name'.wav\")")
    heard = peer.expect("tone")
    assert abs(heard["hertz"] - hertz) < 5
    shown.do("publish", kind="stop")


def test_what_is_no_wav_is_refused(served, page):
    shown = looking(page, served)
    assert shown.do("publish", kind="wav")["code"] == "not_found"
    send(shown, b"RIFF" + bytes(100))
    assert shown.do("publish", kind="wav")["code"] == "failed"
    # It is sent anew for each time.
    assert shown.do("publish", kind="wav")["code"] == "not_found"
    send(shown, wav_of_tone(440, 4.0), seqs=[0, 2, 1])
    assert shown.do("publish", kind="wav")["code"] == "not_found"
    for odd in ({"rate": 200_000_000}, {"rate": 100}, {"channels": 9}):
        send(shown, wav_of_tone(1, 1e-2 if "channels" in odd else 100 / odd["rate"], **odd))
        assert shown.do("publish", kind="wav")["code"] == "failed"
    assert shown.do("publish", kind="wav", sound="mine")["code"] == "not_found"
    assert shown.do("upload", sound=True, size=100_000_000)["code"] == "limit"
    assert shown.do("publish", kind="tone", seconds=1e9)["code"] == "limit"
    assert shown.do("publish", kind="tone", hz=0)["code"] == "bad_request"
    assert shown.do("publish", kind="opera")["code"] == "bad_request"
    shown.do("chat", text="all is well")
    shown.until(lambda: shown.last("chat", text="all is well", state="taken"))


def test_who_may_only_look_may_listen_and_not_speak(station, page, room, peer):
    with station("-", "--media", "--read-only", stdin=room.connection_string(ME) + "\n") as served:
        shown = looking(page, served)
        peer.tell("tone", hertz=440, seconds=60)
        sid = track_of(shown, "audio")
        shown.do("view", **MEDIA, audio=[sid])
        shown.until(lambda: shown.sound)
        assert shown.do("publish", kind="tone")["code"] == "read_only"
        assert shown.do("upload", sound=True, size=100)["code"] == "read_only"


def test_a_token_that_grants_no_microphone(station, page, room):
    target = room.connection_string(ME, canPublishSources=["camera"])
    with station("-", "--media", stdin=target + "\n") as served:
        shown = looking(page, served)
        assert shown.do("publish", kind="tone")["code"] == "permission"
        shown.until(lambda: "microphone" in (shown.last("state")["can"].get("publish") or ""))


def test_a_page_that_takes_nothing_loses_sound_and_holds_up_nobody(served, page, peer):
    shown, slow = looking(page, served), looking(page, served)
    peer.tell("tone", hertz=440, seconds=60)
    sid = track_of(shown, "audio")
    slow.do("view", **MEDIA, audio=[sid])
    slow.until(lambda: slow.sound)
    slow.draws = False
    shown.do("view", **MEDIA, audio=[sid])
    shown.until(lambda: len(shown.sound.get(0, b"")) > 3 * 96_000)
    assert abs(pitch_in(shown.sound[0][-48_000:]) - 440) < 5
    # What it missed is counted, and what it gets then is new: half a second at most waited for it.
    slow.draws = True
    slow.socket.send(f'{{"ack":{slow.seq + 3}}}')
    slow.until(lambda: media(slow, sid)["missed"] > 1_000)


@pytest.mark.usefixtures("livekit_server")  # where there is none this is skipped
def test_a_realm_of_ones_own_with_sound(station, page):
    with station("--media", "--bots", "1") as served:
        shown = looking(page, served)
        assert shown.last("realm")["media"] is True
        shown.until(lambda: shown.last("state")["can"].get("subscribe", "?") is None)
        assert shown.last("state")["media"] is None
        # One of its bots hums.
        sid = shown.until(lambda: [one["sid"] for peer in shown.all("peer") for one in peer["tracks"]])[-1]
        shown.do("view", **MEDIA, audio=[sid])
        shown.until(lambda: len(shown.sound.get(0, b"")) > 2 * 48_000 * 4)
        pitches = {round(pitch_in(shown.sound[0][at : at + 19_200])) for at in range(0, 4 * 96_000, 9_600)}
        assert sum(any(abs(pitch - note) < 6 for pitch in pitches) for note in set(TUNE)) >= 3
        assert shown.do("publish", kind="tone", seconds=1)["python"]
        shown.until(lambda: speaking(shown) == "done")


@pytest.mark.usefixtures("livekit_server", "rtc")
def test_without_it_the_page_is_told_why_and_opens_it_again_with_sound(station, page):
    with station("--bots", "0") as served:
        shown = looking(page, served)
        shown.until(lambda: shown.last("state").get("media"))
        told = shown.last("state")
        assert told["media"]["why"] == told["can"]["subscribe"] == told["can"]["publish"]
        assert told["media"]["why"] == "our own engine carries packets, and neither sound nor pictures"
        assert told["media"]["again"] is True
        assert "--media" in told["media"]["fix"]
        assert shown.do("publish", kind="tone")["code"] == "unavailable"
        assert shown.do("open", again=True, media=True) == {}
        shown.until(lambda: shown.last("realm") and shown.last("realm")["media"])
        shown.until(lambda: shown.last("state")["can"].get("subscribe", "?") is None)
        assert shown.last("state")["media"] is None


def test_where_no_server_has_any_that_is_said(station, page, tmp_path, monkeypatch):
    for name, value in {"DCL_COMMS_CACHE": str(tmp_path), "PATH": os.defpath, "LIVEKIT_SERVER": ""}.items():
        monkeypatch.setenv(name, value)
    with station("--media") as served:
        shown = page(served.url, view=MEDIA)
        error = shown.until(lambda: (shown.last("state", state="closed") or {}).get("error"))
        assert "livekit-server was not found" in error["text"]
        assert "--build" in error["text"]


def test_in_a_program_of_ones_own_what_it_listens_to_stays(page, room, peer):
    tap, over = watch.tap(), threading.Event()
    problems, gone = [], []

    def look(url):
        try:
            shown = page(url, view=MEDIA)
            peer.tell("tone", hertz=440, seconds=60)
            sid = track_of(shown, "audio")
            shown.until(lambda: shown.last("peer", id=SDK)["tracks"][0]["subscribed"])
            shown.do("view", **MEDIA, audio=[sid])
            shown.until(lambda: len(shown.sound.get(0, b"")) > 48_000)
            shown.do("view", **MEDIA)
            shown.do("publish", kind="tone", seconds=1)
            shown.until(lambda: speaking(shown) == "done")
            assert shown.last("peer", id=SDK)["tracks"][0]["subscribed"]
        except Exception as problem:
            problems.append(problem)
        finally:
            over.set()

    with (
        polled.open(room.connection_string(ME), tap=tap, engine="livekit") as program,
        watch(program, tap, tell=lambda _: None) as shown,
    ):
        looker = threading.Thread(target=look, args=(shown.url,))
        looker.start()
        while not over.is_set():
            program.wait(0.05)
            gone += [event for event in program.poll() if isinstance(event, TrackUnsubscribed)]
        looker.join()
        if problems:
            raise problems[0]
        assert gone == []
