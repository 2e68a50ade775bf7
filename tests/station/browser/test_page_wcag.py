"""WCAG 2.2 AA as axe-core can tell, on every screen, in both themes, wide and narrow."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.timeout(300)]

NARROW, WIDE = 400, 1280


def a_packet(page):
    page.click("#tab-packets")
    page.locator(".grid.packets .body .row").first.click()
    page.locator("[role=treeitem]").first.click()


def a_peer(page):
    page.click("#tab-peers")
    page.locator(".grid.peers .body .row").first.click()
    page.locator(".peer-sheet .facts").first.wait_for()


SCREENS = {
    "chat": lambda page: page.click("#tab-chat"),
    "packets": a_packet,
    "media": lambda page: page.click("#tab-media"),
    "health": lambda page: (page.click("#tab-health"), page.locator(".health table").first.wait_for()),
    "learn": lambda page: (page.click("#tab-learn"), page.locator(".lesson article").wait_for()),
    "overview": lambda page: page.locator(".lesson").press("o"),
    "composer": lambda page: (page.keyboard.press("t"), page.locator(".composer .made .code").wait_for()),
    "palette": lambda page: (page.keyboard.press("Escape"), page.keyboard.press("Control+k")),
    "keys": lambda page: (page.keyboard.press("Escape"), page.keyboard.press("?")),
    "settings": lambda page: (page.keyboard.press("Escape"), page.click("[aria-label=Settings]")),
    "peer": lambda page: (page.keyboard.press("Escape"), a_peer(page)),
}


@pytest.mark.parametrize(
    ("width", "theme"),
    [
        (NARROW, "dark"),
        (WIDE, "light"),
        # Each width and each theme is seen by day; how they go together, at night.
        pytest.param(NARROW, "light", marks=pytest.mark.nightly),
        pytest.param(WIDE, "dark", marks=pytest.mark.nightly),
    ],
)
def test_every_screen(station, visit, axe, theme, width):
    served = station()
    page = visit(served.url, width=width, theme=theme, bypass_csp=True)
    page.locator(".pill.good").wait_for()
    found = []
    for name, show in SCREENS.items():
        show(page)
        found += axe(page, name)
    page.keyboard.press("Escape")
    page.click("[aria-label='Leave, back to the start']")
    page.locator("main h2", has_text="Where to?").wait_for()
    found += axe(page, "start")
    page.fill("[aria-labelledby=realms] input", "http://127.0.0.1:9/")
    page.locator("[aria-labelledby=realms] .button.main").click()
    page.locator(".connecting .problem").wait_for()
    found += axe(page, "failed")
    refused = visit(served.place, width=width, theme=theme, bypass_csp=True)
    refused.locator("h1", has_text="needs the link").wait_for()
    found += axe(refused, "refused")
    assert found == []
