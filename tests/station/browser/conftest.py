"""A real Station in a process of its own, and its page in a real Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import web
from rigs.interop.npm import refuse

ARGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WATCHED = """
window.faults = [];
document.addEventListener("securitypolicyviolation", (event) => faults.push(`policy: ${event.violatedDirective} ${event.blockedURI}`));
addEventListener("error", (event) => faults.push(`error: ${event.message}`));
addEventListener("unhandledrejection", (event) => faults.push(`rejection: ${event.reason}`));
"""


def chromium_path():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    return refuse("there is no Chromium here (make ci-deps installs one)", "REQUIRE_BROWSER")


@pytest.fixture(scope="module")
def launch():
    """Start a browser for the tests of one module: launch(*args)."""
    path = chromium_path()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = []

        def start(*args):
            started.append(playwright.chromium.launch(executable_path=path, args=[*ARGS, *args]))
            return started[-1]

        yield start
        for browser in started:
            browser.close()


@pytest.fixture(scope="module")
def chromium(launch):
    """A browser for the tests of one module."""
    return launch()


@pytest.fixture
def expect(chromium):
    """Playwright's, with our patience."""
    from playwright.sync_api import expect as wanted

    wanted.set_options(timeout=20_000)
    return wanted


@dataclass
class Station:
    """The process, and the link that it printed."""

    process: object
    url: str

    @property
    def place(self):
        return self.url.split("#")[0]


@pytest.fixture
def station(start_process, tmp_path):
    """Start it: station(*args, stdin=line)."""

    def start(*args, stdin=None):
        process = start_process("station", "--no-browser", "--recordings", str(tmp_path), *args)
        if stdin is not None:
            process.stdin.write(stdin + "\n")
            process.stdin.flush()
        line = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#token=[\w-]{40,}", line), line
        return Station(process, line)

    return start


@pytest.fixture
def visit(chromium, request):
    """Open a page: visit(url, place=, width=, height=, theme=, script=, **context).  What went wrong in any of them fails the test.

    ``place``: where the page is served, if the URL does not say so.
    """
    contexts, pages, heard = [], [], []

    def open_page(url, *, place=None, width=1280, height=800, theme="dark", inside=None, script="", **settings):
        context = inside
        if context is None:
            context = chromium.new_context(
                viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce", **settings
            )
            context.add_init_script(WATCHED + script)
            context.grant_permissions(["clipboard-read", "clipboard-write"])
            contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("dialog", lambda dialog: (heard.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        known = (url.split("#")[0], place or url.split("#")[0])
        page.on("request", lambda asked: heard.append(asked.url) if not asked.url.startswith(known) else None)
        pages.append(page)
        page.goto(url)
        return page

    yield open_page
    folder = os.environ.get("DCL_COMMS_FAILURES")
    for number, page in enumerate(pages):
        if page.is_closed():
            continue
        if folder:
            page.screenshot(path=Path(folder) / f"{request.node.name}-{number}.png")
        heard += page.evaluate("window.faults ?? []")
    for context in contexts:
        context.close()
    assert heard == []


@pytest.fixture
def realm_url():
    """The URL of the Station's own realm, for other clients."""
    return lambda page: "http://" + page.locator(".url").inner_text()


@pytest.fixture
def seen():
    """Where the map draws peers: {name or identity: (x, y)}."""
    return lambda page: {one["id"]: (one["x"], one["y"]) for one in json.loads(page.evaluate("stationMap.told()"))}


@pytest.fixture(scope="session")
def axe():
    """What axe-core finds wrong with a page that may run it: axe(page, name of the screen)."""
    try:
        script = (web.packages() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    except web.NoNodeError as error:
        refuse(str(error), "REQUIRE_NODE")

    def look(page, screen):
        if not page.evaluate("'axe' in window"):
            page.evaluate(script)
        told = page.evaluate("(tags) => axe.run(document, { runOnly: tags })", RULES)
        return [(screen, one["id"], one["nodes"][0]["html"][:200]) for one in told["violations"]]

    return look
