"""What strangers write stays text, whatever is in it; nothing runs, nothing is fetched, nothing falls over."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import Packet
from dcl_comms_core.proto import rfc4

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

PROFILE = '{"avatars": [{"name": "<img src=x onerror=alert(1)>", "description": "javascript:alert(1)"}]}'
CORPUS = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "javascript:alert(1) https://evil.example/?q=",
    "\u202egnp.exe\u202c",
    "zero\u200bwidth\u2060joined",
    "bell\x07 escape\x1b[31m null\x00end",
    "\u05e9\u05dc\u05d5\u05dd \u0639\u0644\u064a\u0643\u0645",
    "a" + "\u0300\u0301\u0302\u0303" * 200,
    "w" * 3000,
    "{{constructor.constructor('alert(1)')()}} ${alert(1)} %3Cscript%3E",
    "last of them",
]


def test_hostile_peers(station, visit, companion, realm_url):
    from playwright.sync_api import expect

    page = visit(station().url, width=1000)
    expect(page.locator(".pill")).to_have_text("connected", timeout=20_000)
    other = companion(realm_url(page), wallet=DisposableWallet())

    def speak(room):
        for text in CORPUS:
            room.chat(text)
        room.emote("urn:<b>emote</b>")

    other.do(speak)
    expect(page.locator(".message .text", has_text="last of them")).to_be_visible(timeout=20_000)
    said = page.locator(".said")
    assert page.locator(".said :is(img, script, b, i, u, a, iframe)").count() == 0
    assert "<script>alert(1)</script>" in said.inner_text()
    # What can't be seen is shown as a mark, and its name is in the tip.
    expect(said.locator(".odd[title='U+202E right-to-left override']").first).to_have_text("202E")
    expect(said.locator(".odd[title='U+0000']")).to_have_count(1)
    expect(said.locator("button", has_text="show all 3,000 characters")).to_be_visible()
    # A profile that is none of ours, and bytes that are no packet.
    other.do(lambda room: room.send_bytes(b"\xff\xff<script>alert(1)</script>", reliable=True))
    page.click("#tab-peers")
    page.fill("#peers-filter", other.name.text)
    page.locator(".grid.peers .body .row").first.click()
    page.locator(".peer-sheet summary", has_text="Profile").click()
    page.get_by_role("button", name="Ask for it").click()
    profile = page.locator(".peer-sheet details pre")
    # What was not asked for is not taken: it is said until the question is there.
    answer = Packet(profile_response=rfc4.ProfileResponse(serialized_profile=PROFILE))
    for _ in range(40):
        if profile.count():
            break
        other.do(lambda room: room.send_nowait(answer))
        page.wait_for_timeout(200)
    expect(profile).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator(".peer-sheet :is(img, script, iframe)").count() == 0
    page.keyboard.press("Escape")
    page.click("#tab-packets")
    page.fill("#filter", "rejected")
    expect(page.locator(".grid.packets .body .row")).to_have_count(1)
    page.locator(".grid.packets .body .row").click()
    expect(page.locator(".detail .meaning .bad")).to_be_visible()
    page.fill("#filter", "")
    for tab in ("packets", "peers", "health", "learn", "chat"):
        page.click(f"#tab-{tab}")
        expect(page.locator("#panel > section")).to_have_count(1)
        boxes = page.evaluate(
            "['.top', '.side', '.time'].map((one) => document.querySelector(one).getBoundingClientRect().toJSON())"
        )
        assert all(box["right"] <= 1000 and box["left"] >= 0 for box in boxes)
        assert boxes[0]["bottom"] <= boxes[1]["top"]
        assert boxes[1]["bottom"] <= boxes[2]["top"]
        assert page.evaluate("document.documentElement.scrollWidth") == 1000
