"""The main job, as somebody does it who never read a page of docs: a realm of one's own, from opening to its end."""

from __future__ import annotations

import math
import re

import pytest
from dcl_comms_drivers.realm.rooms import has_rooms
from dcl_comms_drivers.wallet import DisposableWallet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


def until(page, found):
    """What it gives, as soon as that is something; the page goes on meanwhile."""
    for _ in range(400):
        if answer := found():
            return answer
        page.wait_for_timeout(50)
    raise AssertionError


def test_a_realm_of_ones_own(station, visit, companion, realm_url, seen, expect):
    served = station()
    page = visit(served.url)
    expect(page.locator(".pill")).to_have_text("connected")
    # The token is out of sight at once, and the page may be reloaded.
    assert "token" not in page.evaluate("location.href")

    expect(page.locator("#map-summary")).to_contain_text("3 peers in view")
    # Somebody moves: somewhere on the map an arrow is elsewhere than it was.
    before = until(page, lambda: found if len(found := seen(page)) >= 4 else None)
    until(page, lambda: any(math.dist(at, before.get(who, at)) > 3 for who, at in seen(page).items()))

    other = companion(realm_url(page), wallet=DisposableWallet())
    page.fill("#say", "hello from the page")
    page.press("#say", "Enter")
    other.await_chat("hello from the page")
    expect(page.locator(".message.ours .text").last).to_have_text("hello from the page")
    other.do(lambda room: room.chat("hello from a program"))
    expect(page.locator(".message .text", has_text="hello from a program")).to_be_visible()

    # A row, its fields, its bytes.
    page.click("#tab-packets")
    page.fill("#filter", "kind:chat")
    rows = page.locator(".grid.packets .body .row")
    expect(rows.filter(has_not_text="chat")).to_have_count(0)
    row = rows.filter(has_text="hello from a program").last
    row.click()
    detail = page.locator(".detail")
    expect(detail.locator("h3")).to_contain_text("chat")
    detail.locator("[role=treeitem]", has_text="message").click()
    chosen = "".join(detail.locator(".bytes .on:not(.tag)").all_inner_texts())
    assert bytes.fromhex(chosen) == b"hello from a program"

    # A filter that is none, and then one.
    expect(row).to_be_visible()
    page.fill("#filter", "kind:chat and size>")
    expect(page.locator(".filter .problem")).to_contain_text("column")
    expect(rows.filter(has_not_text="chat")).to_have_count(0)
    expect(row).to_be_visible()
    page.fill("#filter", "kind:chat me")
    expect(page.locator(".filter .problem")).to_have_count(0)
    expect(rows).to_have_count(1)
    page.fill("#filter", "")
    expect(page.locator(".grid.packets .body .row.in").first).to_be_visible()

    # The composer sends, and says how a program does it.
    page.click("text=Compose")
    page.select_option(".composer select >> nth=0", "chat")
    page.fill(".composer .fields input >> nth=0", "from the composer")
    expect(page.locator(".composer .code code")).to_contain_text("from the composer")
    expect(page.locator(".composer .hex")).to_be_visible()
    page.click(".composer .buttons .button.main")
    other.await_chat("from the composer")
    page.keyboard.press("Escape")
    expect(page.locator(".composer")).to_have_count(0)

    # Reloaded, and once more in another tab: the same.
    page.reload()
    page.click("#tab-chat")
    expect(page.locator(".message .text", has_text="hello from a program")).to_be_visible()
    second = visit(served.url, inside=page.context)
    expect(second.locator(".message .text", has_text="hello from a program")).to_be_visible()
    second.fill("#say", "from the second tab")
    second.press("#say", "Enter")
    expect(page.locator(".message .text", has_text="from the second tab")).to_be_visible()

    # The Station ends: the page says so, and keeps what it showed.
    served.process.terminate()
    for one in (page, second):
        expect(one.locator(".banner")).to_contain_text("The Station ended")
        expect(one.locator(".message .text", has_text="from the second tab")).to_be_visible()


@pytest.mark.skipif(not has_rooms(), reason="nobody whispers in ws-rooms")
def test_a_whisper(station, visit, companion, realm_url, expect):
    page = visit(station("--bots", "0").url)
    expect(page.locator(".pill")).to_have_text("connected")
    friend, third = (companion(realm_url(page), wallet=DisposableWallet()) for _ in range(2))
    for one in (friend, third):
        one.await_company(2)
    expect(page.locator("#map-summary")).to_contain_text("2 peers")

    page.fill("#say", "@" + friend.name.text[:10])
    expect(page.locator(".complete li")).to_have_count(1)
    page.press("#say", "Enter")
    expect(page.locator(".say .chip")).to_have_count(1)
    page.fill("#say", "for you alone")
    page.press("#say", "Enter")
    heard = friend.await_chat("for you alone")
    assert heard.private
    expect(page.locator(".message.private.ours .text")).to_have_text("for you alone")

    friend.do(lambda room: room.chat("and for you", to=[heard.sender]))
    expect(page.locator(".message.private:not(.ours) .text")).to_have_text("and for you")
    friend.do(lambda room: room.chat("from the friend, for all"))
    page.press("#say", "Escape")
    expect(page.locator(".say .chip")).to_have_count(0)
    page.fill("#say", "from the page, for all")
    page.press("#say", "Enter")

    # What somebody says comes in order: what was for others would be here before these two.
    third.await_chat("from the page, for all")
    third.await_chat("from the friend, for all")
    assert {event.text for event in third.chats} == {"from the page, for all", "from the friend, for all"}
    assert not any(event.private for event in third.chats)


def test_without_the_link(station, visit, expect):
    served = station("--bots", "0")
    for url in (served.place, served.place + "#token=" + "x" * 43):
        expect(visit(url).locator("h1")).to_have_text("This page needs the link that the terminal printed")


def test_to_look_and_not_act(station, visit, expect):
    page = visit(station("--read-only").url)
    expect(page.locator(".pill")).to_contain_text("read-only")
    expect(page.locator("#say")).to_be_disabled()
    page.click("#tab-packets")
    expect(page.locator(".grid.packets .body .row").first).to_be_visible()


def test_a_peer(station, visit, expect):
    page = visit(station().url)
    page.click("#tab-peers")
    rows = page.locator(".grid.peers .body .row")
    expect(rows).to_have_count(3)
    page.fill("#peers-filter", "Bo")  # which no address has in it
    expect(rows).to_have_count(1)
    rows.first.click()
    sheet = page.locator(".peer-sheet")
    expect(sheet.locator("h3")).to_contain_text("Bo")
    expect(sheet.locator(".facts").first).to_contain_text("island")
    sheet.locator("button", has_text="Show packets").click()
    expect(page.locator("#filter")).to_have_value(re.compile("peer:0x"))
    expect(page.locator(".grid.packets .body .row").first).to_contain_text("Bo")


def test_back_in_time_and_to_now(station, visit, companion, realm_url, expect):
    page = visit(station().url)
    expect(page.locator(".time .at")).to_have_text("LIVE")
    other = companion(realm_url(page), wallet=DisposableWallet())
    other.do(lambda room: room.chat("remember this"))
    expect(page.locator(".message .text", has_text="remember this")).to_be_visible()
    page.click(".time [aria-keyshortcuts=Space]")
    expect(page.locator(".pill")).to_have_text("looking back")
    expect(page.locator(".time .at")).to_have_text(re.compile(r":\d\d$"))
    page.click("text=Back to live")
    expect(page.locator(".time .at")).to_have_text("LIVE")
    expect(page.locator(".pill")).to_have_text("connected")
    expect(page.locator(".message .text", has_text="remember this")).to_be_visible()


def test_lessons_and_the_way_in(station, visit, expect):
    page = visit(station().url)
    page.click("#tab-learn")
    expect(page.locator(".lesson article h3")).not_to_be_empty()
    first = page.locator(".lesson article").inner_text()
    page.locator(".lesson").press("n")
    expect(page.locator(".lesson article")).not_to_have_text(first)
    page.click("nav >> text=The island service")
    expect(page.locator(".lesson .actors")).to_be_visible()
    page.locator(".lesson").press("o")
    expect(page.locator(".stages .done").first).to_be_visible()


def test_left_and_opened_again(station, visit, expect):
    page = visit(station().url)
    expect(page.locator(".pill")).to_have_text("connected")
    page.click("[aria-label='Leave, back to the start']")
    expect(page.locator("main h2")).to_have_text("Where to?")
    page.fill("#strings ~ form input", "livekit:wss://nowhere.example?access_token=none")
    expect(page.locator("[aria-labelledby=strings] .problem")).to_be_visible()
    page.click("[aria-labelledby=own] .button.main")
    expect(page.locator(".pill")).to_have_text("connected")
    expect(page.locator("#map-summary")).to_contain_text("3 peers in view")


def test_keyboard_alone(station, visit, expect):
    page = visit(station().url)
    expect(page.locator(".pill")).to_have_text("connected")
    keys = page.keyboard
    keys.press("g")
    keys.press("c")
    expect(page.locator("#say")).to_be_focused()
    keys.type("typed, g p and ? too")
    keys.press("Enter")
    expect(page.locator(".message.ours .text")).to_have_text("typed, g p and ? too")
    keys.press("Shift+Tab")
    keys.press("g")
    keys.press("p")
    expect(page.locator(".grid.packets")).to_be_focused()
    expect(page.locator(".grid.packets .body .row").first).to_be_visible()
    keys.press("k")
    expect(page.locator(".detail")).to_be_visible()
    keys.press("Escape")
    keys.press("/")
    expect(page.locator("#filter")).to_be_focused()
    keys.type("dir:out")
    expect(page.locator(".grid.packets .body .row.in")).to_have_count(0)
    keys.press("Control+k")
    expect(page.get_by_role("combobox", name="Commands")).to_be_focused()
    keys.type("health")
    keys.press("Enter")
    expect(page.locator("#tab-health")).to_have_attribute("aria-selected", "true")
    keys.press("?")
    expect(page.locator("dialog h2")).to_have_text("Keys")
    keys.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    # Tab is never taken: it goes through everything, and comes round.
    reached = set()
    for _ in range(80):
        keys.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"map", "splitter", "line"} <= {word for one in reached for word in one.split()}


def at_the_others(page):
    page.click("[aria-label='Centre on me']")
    return page.evaluate("Math.hypot(stationMap.camera.x - 4, stationMap.camera.z - 4)") < 8


def test_to_another_island_and_back(station, visit, expect):
    page = visit(station("--at", "8,0,8").url)
    expect(page.locator("#map-summary")).to_contain_text("3 peers in view")
    page.fill("#say", "before I go")
    page.press("#say", "Enter")
    expect(page.locator(".message.ours .text")).to_have_text("before I go")
    page.click("#tab-health")
    islands = page.locator(".health section", has=page.locator("h3", has_text=re.compile("^Islands$"))).locator("tr")
    expect(islands).to_have_count(1)

    # Be far away, by a click on the ground: nobody is near; the page stays, and what was said with it.
    for _ in range(9):
        page.click("[aria-label=Wider]")
    page.click("#map canvas", position={"x": 60, "y": 200}, modifiers=["Shift"])
    expect(islands).to_have_count(2)
    expect(page.locator(".map .nobody")).to_contain_text("Nobody here yet")
    peers = page.locator(".numbers div", has_text="peers").locator("dd")
    expect(peers).to_have_text("0")
    page.click("#tab-chat")
    expect(page.locator(".message.ours .text")).to_have_text("before I go")

    # Back by a click among the others; then away and back once more, as a lesson.
    x, y = page.evaluate("stationMap.camera.toScreen(4, 4)")
    page.click("#map canvas", position={"x": x, "y": y}, modifiers=["Shift"])
    expect(peers).to_have_text("3")
    # The lesson leads back to where we are seen to be, which follows what we did by up to a second.
    until(page, lambda: at_the_others(page))
    page.click("#tab-learn")
    expect(page.locator(".learn nav")).to_contain_text("Changes")
    for label, there in (("Leave for an island of my own", "0"), ("Back to the others", "3")):
        page.click(f".doing >> text={label}")
        expect(peers).to_have_text(there)
    expect(page.locator(".pill")).to_have_text("connected")
    page.click("#tab-chat")
    page.fill("#say", "and I am back")
    page.press("#say", "Enter")
    expect(page.locator(".message.ours .text").last).to_have_text("and I am back")


def test_at_twice_the_size_nothing_goes_sideways(station, visit, expect):
    page = visit(station().url, width=640, height=400, device_scale_factor=2)
    expect(page.locator(".pill")).to_contain_text("connected")
    screens = [
        lambda tab=tab: page.click(f"#tab-{tab}") for tab in ("map", "chat", "peers", "packets", "health", "learn")
    ]
    screens += [lambda: page.keyboard.press("t"), lambda: page.keyboard.press("Escape")]
    screens += [lambda: page.click("[aria-label='Leave, back to the start']")]
    for show in screens:
        show()
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= 640
