"""The pictures of docs/station.md: a Station with a realm of its own, in a Chromium, as somebody sees it.

``make pictures`` writes docs/pictures/station-*.png.  They are other ones each time (bots walk), so
nothing compares them: make them anew when the page looks otherwise, look at each, and commit those that changed.
"""

from __future__ import annotations

import base64
import shutil
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np
from generated import ROOT
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from playwright.sync_api import Browser, Page

FOLDER: Final = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1280, 720
COLOURS: Final = 128
MOST_BYTES: Final = 80_000
AUTOPLAY: Final = "--autoplay-policy=no-user-gesture-required"
PIXELS: Final = """
async (png) => {
  const bytes = Uint8Array.from(atob(png), (one) => one.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = new OffscreenCanvas(image.width, image.height);
  const drawing = canvas.getContext("2d");
  drawing.drawImage(image, 0, 0);
  const { data } = drawing.getImageData(0, 0, image.width, image.height);
  let text = "";
  for (let at = 0; at < data.length; at += 30_000) text += String.fromCharCode(...data.subarray(at, at + 30_000));
  return [image.width, image.height, btoa(text)];
}
"""


def talk(page: Page) -> None:
    """Say a few things to the bots, one of them in private; they answer."""
    page.locator("#map-summary", has_text="3 peers in view").wait_for()
    page.wait_for_timeout(15_000)  # the bots have walked away from where they began
    for text, answer in (("Hello from the Station!", None), ("!ping", "pong, says")):
        page.fill("#say", text)
        page.press("#say", "Enter")
        page.locator(".message.ours .text", has_text=text).wait_for()
        if answer is not None:
            page.locator(".message:not(.ours) .text", has_text=answer).wait_for()
    page.locator("#say").press_sequentially("@Ada")
    page.press("#say", "Enter")
    page.fill("#say", "!where")
    page.press("#say", "Enter")
    page.locator(".message.private:not(.ours) .text", has_text="Ada is at").wait_for()
    page.press("#say", "Escape")
    page.fill("#say", "!dance")
    page.press("#say", "Enter")
    page.locator(".note.act", has_text="plays").nth(2).wait_for()


def chat(page: Page) -> None:
    """The map with everybody on it, and what was said."""
    page.click("#tab-chat")
    page.focus("#map")
    page.keyboard.press("f")
    page.locator("#say").focus()


def packets(page: Page) -> None:
    """A packet of chat: its fields, its bytes, what it means."""
    page.click("#tab-packets")
    page.fill("#filter", "kind:chat")
    page.locator(".grid.packets .body .row.in", has_text="pong, says").last.click()
    page.locator(".detail [role=treeitem]", has_text="message").click()
    page.locator(".detail .bytes .on").first.wait_for()


def learn(page: Page) -> None:
    """The step in which somebody has to sign, which begins the way in."""
    page.click("#tab-learn")
    page.click("nav >> text=Who you are")
    title = page.locator(".lesson article h3")
    title.wait_for()
    while "sign" not in title.inner_text():
        page.click(".lesson >> text=Next")


def media(page: Page) -> None:
    """The bot that hums is listened to, and a tone is said."""
    page.click("#tab-media")
    page.get_by_role("button", name="Listen", exact=True).click()
    page.get_by_label("Seconds").fill("9")
    page.get_by_role("button", name="Play a tone").click()
    page.locator("meter[value]:not([value='0'])").wait_for()


SCREENS: Final[dict[str, tuple[str, Callable[[Page], None]]]] = {
    "map": ("dark", chat),
    "packets": ("dark", packets),
    "learn": ("light", learn),
    "light": ("light", chat),
}
WITH_MEDIA: Final[dict[str, tuple[str, Callable[[Page], None]]]] = {"media": ("dark", media)}
"""Of a Station with sound, which takes a livekit-server."""


def main() -> None:
    """Write them all.  SystemExit: there is no Chromium here, or a picture is too large."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("there is no Chromium here (make ci-deps installs one)")
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", AUTOPLAY])
        try:
            take(browser, SCREENS)
            take(browser, WITH_MEDIA, "--media")
        finally:
            browser.close()


def take(browser: Browser, screens: dict[str, tuple[str, Callable[[Page], None]]], *options: str) -> None:
    """Every one of these pictures, of a Station with these options."""
    command = [sys.executable, "-m", "dcl_comms_station", "station", "--no-browser", "--at", "10,0,5", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as station:
        url = "" if station.stdout is None else station.stdout.readline().strip()
        try:
            show_each(browser, url, screens)
        finally:
            station.terminate()


def show_each(browser: Browser, url: str, screens: dict[str, tuple[str, Callable[[Page], None]]]) -> None:
    """Every picture of this Station."""
    first = True
    for theme in ("dark", "light"):
        if theme not in {wanted for wanted, _ in screens.values()}:
            continue
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=theme, reduced_motion="reduce"
        )
        page.goto(url)
        page.locator(".pill.good").wait_for()
        if first:
            talk(page)
        first = False
        for name, (wanted, show) in screens.items():
            if wanted == theme:
                show(page)
                page.wait_for_timeout(3_000)  # until there are rates and a round trip
                picture = reduced(browser, page.screenshot())
                if len(picture) > MOST_BYTES:
                    sys.exit(f"{name}: {len(picture)} bytes")
                (FOLDER / f"station-{name}.png").write_bytes(picture)


def reduced(browser: Browser, picture: bytes) -> bytes:
    """A PNG of few colours, which the page has more of by the edges of its letters only."""
    page = browser.new_page()
    width, height, data = page.evaluate(PIXELS, base64.b64encode(picture).decode())
    page.close()
    rgba = np.frombuffer(base64.b64decode(data), np.uint8).reshape(-1, 4)
    every, number, count = np.unique(rgba[:, :3], axis=0, return_inverse=True, return_counts=True)
    kept = every[np.argsort(-count)[:COLOURS]]
    away = ((every[:, None, :].astype(int) - kept[None].astype(int)) ** 2).sum(axis=2)
    rows = away.argmin(axis=1).astype(np.uint8)[number.reshape(-1)].reshape(height, width)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks(rows, kept))


def chunks(rows: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8]) -> list[bytes]:
    """What a PNG with a palette is made of."""
    height, width = rows.shape
    told = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes(), 9)),  # each row without a filter
        (b"IEND", b""),
    ]
    return [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in told
    ]


if __name__ == "__main__":
    main()
