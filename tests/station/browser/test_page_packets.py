"""Packets compared, copied and sent again; messages copied and reacted to."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.wallet import DisposableWallet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


def test_a_packet_is_compared_with_the_one_before_copied_and_sent_again(station, visit, companion, realm_url, expect):
    page = visit(station("--bots", "0").url)
    expect(page.locator(".pill")).to_have_text("connected")
    other = companion(realm_url(page), wallet=DisposableWallet())
    other.await_company(1)
    for text in ("first words", "second words"):
        page.fill("#say", text)
        page.press("#say", "Enter")
        other.await_chat(text)
    page.click("#tab-packets")
    page.fill("#filter", "kind:chat me")
    rows = page.locator(".grid.packets .body .row")
    expect(rows).to_have_count(2)
    rows.last.click()
    keys = page.keyboard
    keys.press("d")
    changes = page.locator(".changes")
    expect(changes.locator("tr", has_text="chat.message")).to_contain_text("first words")
    expect(changes.locator("tr", has_text="chat.message")).to_contain_text("second words")
    expect(changes.locator("tr", has_text="chat.timestamp")).to_have_count(1)
    expect(changes.locator("tr", has_text="protocol_version")).to_have_count(0)
    keys.press("k")
    expect(changes).to_contain_text("It is the first")
    keys.press("d")
    expect(changes).to_have_count(0)

    keys.press("y")
    expect(page.locator(".toasts")).to_contain_text("Copied")
    assert b"first words" in bytes.fromhex(page.evaluate("navigator.clipboard.readText()"))
    keys.press("s")
    expect(rows).to_have_count(3)
    # The composer begins with the packet that was looked at.
    keys.press("e")
    expect(page.locator(".composer .fields input").first).to_have_value("first words")
    keys.press("Escape")


def test_a_message_is_copied_and_reacted_to(station, visit, companion, realm_url, expect):
    page = visit(station("--bots", "0").url)
    expect(page.locator(".pill")).to_have_text("connected")
    other = companion(realm_url(page), wallet=DisposableWallet())
    other.await_company(1)
    other.do(lambda room: room.chat("react to this"))
    message = page.locator(".message", has_text="react to this")
    expect(message).to_be_visible()
    # By the keyboard: its menu is a tab stop before the field.
    page.focus("#say")
    page.keyboard.press("Shift+Tab")
    expect(message.locator(".menu > button")).to_be_focused()
    page.keyboard.press("Enter")
    message.get_by_role("button", name="Copy").click()
    expect(page.locator(".toasts")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "react to this"
    message.locator(".menu > button").click()
    message.locator("input").fill("17")
    message.locator("input").press("Enter")
    reaction = other.await_reaction()
    assert (reaction.emoji_index, bool(reaction.message_id)) == (17, True)
    expect(page.locator(".note.act", has_text="17")).to_be_visible()
