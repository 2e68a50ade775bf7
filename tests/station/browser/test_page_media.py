"""Sound and pictures in the page, with a real livekit-server: what is heard is measured behind the page's own sound graph."""

from __future__ import annotations

import re

import pytest
from rigs.drivers.sdk_peer import SdkPeer
from rigs.station.sounds import wav_of_tone

pytestmark = [pytest.mark.browser, pytest.mark.livekit, pytest.mark.timeout(240)]

ME, SDK = "0x" + "a1" * 20, "0x" + "5d" * 20

# Whatever goes to the loudspeakers goes past an analyser of ours.
LISTENED = """
window.analysers = [];
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to === this.context.destination) {
    const analyser = new AnalyserNode(this.context, { fftSize: 32768, smoothingTimeConstant: 0 });
    connect.call(this, analyser);
    analysers.push(analyser);
  }
  return connect.call(this, to, ...rest);
};
Object.defineProperty(document, "hidden", { get: () => window.isHidden === true });
window.hide = (hidden) => {
  window.isHidden = hidden;
  document.dispatchEvent(new Event("visibilitychange"));
};
window.heard = () => {
  const analyser = analysers.at(-1);
  if (!analyser) return null;
  const found = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(found);
  const peak = found.indexOf(Math.max(...found));
  return { hertz: (peak * analyser.context.sampleRate) / analyser.fftSize, decibels: found[peak] };
};
"""
PIXELS = """
() => {
  const canvas = document.querySelector("canvas.picture");
  const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const bright = [];
  for (let at = 0; at < data.length; at += 4) if (data[at + 1] > 128) bright.push([(at / 4) % width, Math.floor(at / 4 / width)]);
  const mean = (axis) => bright.reduce((sum, one) => sum + one[axis], 0) / bright.length;
  return { width, height, bright: bright.length, left: mean(0), top: mean(1) };
}
"""


@pytest.fixture
def room(livekit_room):
    return livekit_room()


@pytest.fixture
def peer(room):
    with SdkPeer(room.url, room.token(SDK)) as one:
        one.expect("connected")
        yield one


@pytest.fixture
def expect(chromium):
    from playwright.sync_api import expect as wanted

    wanted.set_options(timeout=30_000)
    return wanted


@pytest.fixture
def page(station, visit, room, expect):
    """The page's Media, in a room with sound and pictures."""
    shown = visit(station("-", "--media", stdin=room.connection_string(ME)).url, script=LISTENED)
    expect(shown.locator(".pill")).to_have_text("connected")
    shown.click("#tab-media")
    return shown


def hears(page, hertz, seconds=40.0):
    """Until it hears that pitch, and loud; what it heard otherwise."""
    for _ in range(int(seconds * 10)):
        told = page.evaluate("heard()")
        if told and abs(told["hertz"] - hertz) < 4 and told["decibels"] > -60:
            return
        page.wait_for_timeout(100)
    raise AssertionError(told)


def hears_nothing(page, seconds=20.0):
    for _ in range(int(seconds * 10)):
        told = page.evaluate("heard()")
        if told is None or told["decibels"] is None or told["decibels"] < -100:
            return
        page.wait_for_timeout(100)
    raise AssertionError(told)


def test_a_tone_is_heard_in_the_page_and_no_longer_when_it_stops_listening(page, peer, expect):
    expect(page.locator(".media .empty")).to_be_visible()
    peer.tell("tone", hertz=440, seconds=120)
    card = page.locator(".tracks .card")
    expect(card).to_contain_text("microphone")
    # Nothing is listened to by itself.
    assert page.evaluate("heard()") is None
    page.get_by_role("button", name="Listen", exact=True).click()
    hears(page, 440)
    expect(card.locator(".told")).to_have_text("48 kHz")
    assert float(card.locator("meter").get_attribute("value")) > 0.1
    # Its loudness is the page's own affair.
    card.locator("input[type=range]").fill("0")
    hears_nothing(page)
    card.locator("input[type=range]").fill("1")
    hears(page, 440)
    # It goes on while the page is hidden, which is told nothing else then where it does not listen.
    page.evaluate("hide(true)")
    page.wait_for_timeout(2_000)
    hears(page, 440, seconds=0.5)
    page.evaluate("hide(false)")
    # On other tabs it goes on; once it listens no more, nobody does.
    page.click("#tab-chat")
    hears(page, 440)
    page.click("#tab-media")
    page.get_by_role("button", name="Stop listening").click()
    hears_nothing(page)
    expect(card.locator(".told")).to_have_count(0)
    page.get_by_role("button", name="Listen", exact=True).click()
    hears(page, 440)
    # Who speaks takes the microphone back.
    peer.tell("unpublish")
    expect(page.locator(".media .empty")).to_be_visible()
    hears_nothing(page)


def test_a_picture_is_seen_in_the_page(page, peer, expect):
    peer.tell("video", seconds=120)
    page.get_by_role("button", name="Watch", exact=True).click()
    card = page.locator(".tracks .card")
    expect(card.locator(".told")).to_have_text("320 x 240")
    places = set()
    for _ in range(200):
        told = page.evaluate(PIXELS)
        if told["bright"]:
            # The square of the pattern, 48 pixels wide in 320, on its way.
            assert (told["width"], told["height"]) == (160, 120)
            assert 300 < told["bright"] < 900
            places.add((round(told["left"]), round(told["top"])))
        if len(places) > 5:
            break
        page.wait_for_timeout(100)
    assert len(places) > 5
    page.get_by_role("button", name="Stop watching").click()
    expect(page.locator("canvas.picture")).to_have_count(0)


def test_what_the_page_says_is_heard_by_others(page, peer, expect, tmp_path):
    # The bot reports a tone once it heard a second of it.
    page.get_by_label("Pitch (Hz)").fill("660")
    page.get_by_label("Seconds").fill("20")
    page.get_by_role("button", name="Play a tone").click()
    assert abs(peer.expect("tone", identity=ME)["hertz"] - 660) < 5
    expect(page.locator(".speak .said")).to_have_text(re.compile(r"Playing the tone: \d+\.\d of 20.0 s"))
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(".speak .said")).to_contain_text("Played the tone")
    peer.expect("unpublished")

    file = tmp_path / "tone.wav"
    file.write_bytes(wav_of_tone(880, 20.0))
    page.locator(".speak input[type=file]").set_input_files(file)
    assert abs(peer.expect("tone", identity=ME)["hertz"] - 880) < 5
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(".speak .said")).to_contain_text("Played the WAV")

    file.write_bytes(b"no sound at all")
    page.locator(".speak input[type=file]").set_input_files(file)
    expect(page.locator(".toasts .error")).to_contain_text("this is no WAV")


@pytest.mark.usefixtures("rtc")
def test_where_the_engine_has_neither_the_page_says_so_and_helps(station, visit, room, peer, expect):
    page = visit(station("-", stdin=room.connection_string(ME)).url, script=LISTENED)
    expect(page.locator(".pill")).to_have_text("connected")
    page.click("#tab-media")
    peer.tell("tone", hertz=440, seconds=120)
    mute = page.locator(".media .mute")
    expect(mute).to_contain_text("our own engine carries packets, and neither sound nor pictures")
    expect(mute).to_contain_text("--media")
    listen = page.get_by_role("button", name="Listen", exact=True)
    expect(listen).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("button", name="Play a tone")).to_have_attribute("aria-disabled", "true")
    page.get_by_role("button", name="Open it again with sound and pictures").click()
    expect(mute).to_have_count(0)
    expect(listen).not_to_have_attribute("aria-disabled", "true")
    listen.click()
    hears(page, 440)


@pytest.mark.node
@pytest.mark.parametrize(("width", "theme"), [(400, "dark"), (1280, "light")])
def test_wcag_with_everything_on(station, visit, room, peer, axe, expect, width, theme):
    served = station("-", "--media", stdin=room.connection_string(ME))
    page = visit(served.url, width=width, theme=theme, bypass_csp=True)
    expect(page.locator(".pill")).to_have_class(re.compile("good"))
    page.click("#tab-media")
    for what in ("tone", "video"):
        peer.tell(what, seconds=120, hertz=440)
    page.get_by_role("button", name="Listen", exact=True).click()
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(page.locator(".tracks .told").last).to_have_text("320 x 240")
    page.get_by_label("Seconds").fill("30")
    page.get_by_role("button", name="Play a tone").click()
    expect(page.locator(".speak .said")).to_contain_text("Playing the tone")
    assert axe(page, "media") == []
    # Nothing is wider than the page.
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.usefixtures("rtc")
@pytest.mark.node
def test_wcag_where_there_is_neither(station, visit, room, axe, expect):
    page = visit(station("-", stdin=room.connection_string(ME)).url, bypass_csp=True)
    page.click("#tab-media")
    expect(page.locator(".media .mute")).to_be_visible()
    assert axe(page, "mute") == []


def test_a_server_that_ends_and_comes_back(station, visit, private_livekit_server, expect):
    server = private_livekit_server
    page = visit(station("-", "--media", stdin=server.connection_string(ME, "plaza")).url, script=LISTENED)
    expect(page.locator(".pill")).to_have_text("connected")
    page.click("#tab-media")
    for again in (False, True):
        with SdkPeer(server.url, server.token(SDK, "plaza")) as peer:
            peer.expect("connected")
            peer.tell("tone", hertz=440, seconds=120)
            page.get_by_role("button", name="Listen", exact=True).click()
            hears(page, 440)
            if not again:
                server.kill()
                expect(page.locator(".pill")).to_have_text("reconnecting", timeout=60_000)
                server.restart()
                expect(page.locator(".pill")).to_have_text("connected", timeout=60_000)
                hears_nothing(page)
