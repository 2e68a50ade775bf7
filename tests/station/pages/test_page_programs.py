"""Programs of the pages that go into a realm, in an embedded one."""

from __future__ import annotations

import math
import sys
import threading
import time

import pytest
from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.wallet import DisposableWallet, LocalWallet
from rigs.drivers.page import beside, names_of, source

from dcl_comms_core import CloseReason, ConnectionLost, Retry


def until(done, act=lambda: None, timeout=60.0):
    """Wait for something, and do something for it every half a second."""
    end = time.monotonic() + timeout
    next_act = 0.0
    while not (found := done()):
        now = time.monotonic()
        assert now < end, f"{done} {act}"
        if now >= next_act:
            act()
            next_act = now + 0.5
        time.sleep(0.02)
    return found


def test_avatars(dcl_realm, companion):
    main = names_of("avatars.md", 0)["main"]
    ada = LocalWallet("5e" * 32)
    dcl_realm.set_profile(ada.address, "Ada")

    def act():
        other = companion(dcl_realm.url, wallet=ada)
        other.await_company(1)
        other.do(lambda room: room.chat("who am I?"))
        other.await_chat("you are Ada")

    beside(main(dcl_realm.url), act)


def test_avatars_in_a_realm_of_tests():
    found = names_of("avatars.md", 1, then='    found = realm.profiles["0x" + "AD" * 20]\n')["found"]
    assert found["avatars"][0]["name"] == "Ada"


def test_walking(dcl_realm, companion):
    main = names_of("walking.md", 0)["main"]

    def act():
        other = companion(dcl_realm.url, wallet=DisposableWallet(), position=(24.0, 0.0, 8.0))
        (bot,) = other.await_company(1)

        def metres():
            """From the bot to where it goes, as it told last."""
            told = [event.position for event in tuple(other.moves) if event.sender == bot]
            return math.dist(told[-1], place) if told else math.inf

        def say(text):
            def both(room):
                room.move(place)
                room.chat(text)

            return lambda: other.do(both)

        place = (24.0, 0.0, 8.0)
        until(lambda: metres() < 2.5, say("come here"))
        place = (34.0, 0.0, 8.0)
        until(lambda: metres() < 3.5, say("follow me"))
        until(lambda: any(event.urn.endswith("wave") for event in tuple(other.emotes)), say("stay"))

    beside(main(dcl_realm.url), act)


def test_pulse(dcl_realm, companion, start_process, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(source("pulse.md", 0, {'"main"': repr(dcl_realm.url)}), encoding="utf-8")
    bot = start_process(command=[sys.executable, "-u", str(program)])
    lines = []
    threading.Thread(target=lambda: lines.extend(bot.stdout), daemon=True).start()
    other = companion(dcl_realm.url, wallet=DisposableWallet(), position=(22.0, 0.0, 8.0))
    steps = iter(range(10_000))
    told = until(lambda: tuple(lines), lambda: other.do(lambda room: room.move((22.0 + next(steps) % 7, 0.0, 8.0))))
    assert told[0].startswith(f"{other.name} Vector3(x=2")
    assert bot.poll() is None


def test_network_fetches(dcl_realm, capsys):
    names_of("network.md", 0, {"https://realm-provider.decentraland.org/main/about": f"{dcl_realm.url}/about"})
    assert capsys.readouterr().out.startswith("200 ")


def test_network_is_in_a_ws_room(dcl_realm, companion):
    room = f"ws-room:{dcl_realm.url.replace('http', 'ws', 1)}/rooms/plaza"
    other = companion(room, wallet=DisposableWallet())
    names_of("network.md", 1, {"ws-room:wss://realm.example/rooms/plaza": room})
    other.await_chat("hello")


def test_a_world_with_a_password(dcl_realm):
    swap = {"https://worlds-content-server.decentraland.org/world/NAME.dcl.eth": f"{dcl_realm.url}/world/name.dcl.eth"}
    dcl_realm.set_secret("name.dcl.eth", "open sesame")
    names_of("realm.md", 1, swap, connect=connect, DisposableWallet=DisposableWallet)
    dcl_realm.set_secret("name.dcl.eth", "another one")
    with pytest.raises(ConnectionLost) as lost:
        names_of("realm.md", 1, swap, connect=connect, DisposableWallet=DisposableWallet)
    assert lost.value.reason is CloseReason.WRONG_SECRET


def test_rooms_for_ever(dcl_realm, companion):
    main = names_of("rooms.md", 2, {"https://realm.example": dcl_realm.url})["main"]

    def act():
        other = companion(dcl_realm.url, wallet=DisposableWallet())
        (bot,) = other.await_company(1)
        other.do(lambda room: room.chat("!roll"))
        other.await_chat("4")
        dcl_realm.ban(bot.text)

    with pytest.raises(ConnectionLost) as lost:
        beside(main(), act, ends=True)
    assert lost.value.retry is Retry.NEVER
