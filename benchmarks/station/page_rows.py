"""The page in a browser, with a crowd of a thousand: what its script costs, and how long somebody who types waits.

Milliseconds of script are the must; how many frames there are a second depends on the machine's graphics, and is printed only.  The
Station and its crowd run beside the browser.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from pairs import Process

from station.bounds import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from station.bounds import Row

PEERS = 1_000
HERTZ = 10
FLOOD = 5_000
MINUTE = 60
WINDOWS = 4
ARGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
WATCHED = """
window.long = 0;
new PerformanceObserver((list) => { long += list.getEntries().length; }).observe({ type: "longtask" });
window.late = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (one.name === "keydown" || one.name === "input") late.push(one.duration);
}).observe({ type: "event", durationThreshold: 16 });
new MutationObserver(() => {
  if (!window.usable && document.querySelector(".pill.good") && document.querySelector("#say:not(:disabled)")) window.usable = performance.now();
}).observe(document, { subtree: true, childList: true, attributes: true });
"""
FRAMES = """
(seconds) => new Promise((told) => {
  let count = 0;
  const end = performance.now() + seconds * 1000;
  const turn = (now) => { if (now < end) { count++; requestAnimationFrame(turn); } else told(count / seconds); };
  requestAnimationFrame(turn);
})
"""
CASES = (
    "a crowd of 1,000 at 10 Hz: script of a frame, p95",
    "the same: tasks beyond 50 ms in a minute",
    "the same: heap after a minute",
    "the same: the Station, its rings full",
    "5,000 packets/s, filtered: a key to the next paint, p95",
    "the page can be used, after goto",
)


@contextmanager
def _crowd(peers: int) -> Iterator[Process]:
    command = [sys.executable, "-W", "ignore", str(Path(__file__).parent / "crowd_party.py")]
    party = Process("crowd", command, str(peers), {})
    try:
        yield party
    finally:
        party.close()


def _ask(party: Process, **order: object) -> dict[str, float]:
    party.tell(**order)
    return party.hear()


def _opened(browser: Any, url: str) -> Any:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(WATCHED)
    page.goto(url)
    _until(page, "window.usable")
    return page


def _until(page: Any, wanted: str) -> None:
    """Until that is so: asked from outside, as the page evaluates no text."""
    for _ in range(600):
        if page.evaluate(wanted):
            return
        page.wait_for_timeout(100)
    raise TimeoutError(wanted)


def _heap(page: Any) -> float:
    """MB that are in use once what is not was collected."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("HeapProfiler.enable")
    devtools.send("HeapProfiler.collectGarbage")
    used = devtools.send("Runtime.getHeapUsage")["usedSize"]
    devtools.detach()
    return used / 1e6


def _usable(browser: Any) -> Row:
    with _crowd(0) as party:
        found: list[float] = []
        for _ in range(6):
            page = _opened(browser, str(party.connected["url"]))
            found.append(page.evaluate("window.usable"))
            page.close()
    return bounded(CASES[5], "ms", found[1:], 800.0)


def _crowded(browser: Any) -> Iterator[Row]:
    with _crowd(PEERS) as party:
        page = _opened(browser, str(party.connected["url"]))
        before = _ask(party, do="rate", packets=PEERS * HERTZ)
        _until(page, f"JSON.parse(stationMap.told()).length > {PEERS * 9 // 10}")
        page.wait_for_timeout(3_000)
        page.evaluate("stationMap.spent.length = 0, long = 0")
        worst: list[float] = []
        frames: list[float] = []
        for _ in range(WINDOWS):
            page.evaluate("stationMap.spent.length = 0")
            frames.append(page.evaluate(FRAMES, MINUTE / WINDOWS))
            worst.append(quantiles(page.evaluate("stationMap.spent"), n=20)[-1])
        used = _ask(party, do="used")
        print(f"({median(frames):.1f} frames a second; {used['kept']} packets kept)", flush=True)
        yield bounded(CASES[0], "ms", worst, 6.0)
        yield bounded(CASES[1], "tasks", [page.evaluate("long")], 3.0)
        yield bounded(CASES[2], "MB", [_heap(page)], 80.0)
        assert used["fed"] - before["fed"] > PEERS * HERTZ * MINUTE * 0.5, "the machine was too busy to feed it"
        yield bounded(CASES[3], "MiB", [used["mib"]], 150.0)


def _typed(browser: Any) -> Row:
    with _crowd(PEERS) as party:
        page = _opened(browser, str(party.connected["url"]))
        _ask(party, do="rate", packets=FLOOD)
        page.click("#tab-packets")
        page.fill("#filter", "kind:movement")
        page.locator(".grid.packets .body .row").first.wait_for()
        page.wait_for_timeout(2_000)
        found: list[float] = []
        page.evaluate("late.length = 0")
        typed = " & size>1 & size>2 & size>3 & size>4"
        page.focus("#filter")
        page.keyboard.press("End")
        for letter in typed:
            page.keyboard.type(letter)
            page.wait_for_timeout(120)
        page.wait_for_timeout(500)
        late = page.evaluate("late")
        # What is painted within 16 ms is not told.
        found = sorted([*late, *[16.0] * max(0, 2 * len(typed) - len(late))])
        page.close()
    return bounded(CASES[4], "ms", [quantiles(found, n=20)[-1]], 100.0)


def page_rows(only: str) -> Iterator[Row]:
    """A row for each case; those with a crowd come of one minute, whichever of them is wanted."""
    wanted = [case for case in CASES if only in case]
    if not wanted:
        return
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        print("(without a Chromium: make ci-deps)", file=sys.stderr)
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        if CASES[5] in wanted:
            yield _usable(browser)
        if CASES[4] in wanted:
            yield _typed(browser)
        if any(case in wanted for case in CASES[:4]):
            yield from (row for row in _crowded(browser) if row["case"] in wanted)
        browser.close()
