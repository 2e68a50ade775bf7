"""What a verb makes happen at once is told at once, in rooms where nothing else happens: on every loop, for every verb."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from itertools import count

import pytest
import trio
from conftest import EACH_ENGINE
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import polled
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.wallet import DisposableWallet
from rigs.drivers.serving import serving
from rigs.drivers.verbs import IN_A_ROOM, SCENE, VERBS, call, unknown

from dcl_comms_core import CloseReason, PeerId, RoomClosed, RoomOpened, RoomState, WarningCode
from dcl_comms_core.events import Warning  # noqa: A004 - its name

LOOPS = ("asyncio", "trio", "polled")
OF_LINKS = {"publish_audio", "publish_video", "audio", "video", "follow"}
"""They ask the session for nothing but leave; what they cause comes from the link, or once somebody is there."""
NEED_MORE = {"request_profile", "scene_message"}
"""In a world these need a peer, or a scene's room."""
CALLS = {
    "send_nowait": "send",
    "unsubscribe": "subscribe",
    "walk_to": "move",
    "face": "move",
    "stand": "move",
}
"""The session's verb, where it is called otherwise."""
PATIENCE = 20.0
"""No test waits so long that works: the timers that hid this are 45 s."""
numbers = count()


def quiet(loop, target, act, done, **settings):
    """Be in a room, act, and read until ``done``, with nothing else to wake us; the events."""

    async def waiting(connect, limit):
        async with connect(target, **settings) as room:
            seen = []
            await act_on(room)
            async with limit(PATIENCE):
                while not any(map(done, seen)):
                    seen.append(await anext(room))
            return seen

    async def act_on(room):
        while room.stats.unread_events:
            await anext(room)
        act(room)

    if loop == "asyncio":
        return asyncio.run(waiting(on_asyncio.connect, asyncio.timeout))
    if loop == "trio":

        class Limit:
            def __init__(self, seconds):
                self._scope = trio.fail_after(seconds)

            async def __aenter__(self):
                self._scope.__enter__()

            async def __aexit__(self, *error):
                return self._scope.__exit__(*error)

        return trio.run(waiting, on_trio.connect, Limit)
    with polled.open(target, **settings) as room:
        while room.state is not RoomState.OPEN:
            assert room.wait(PATIENCE)
            room.poll()
        room.poll()
        act(room)
        seen = []
        while not any(map(done, seen)):
            assert room.wait(PATIENCE), "woken by nothing"
            seen += room.poll()
        return seen


def test_the_table_of_those_that_ask_the_session_is_all_of_them():
    assert VERBS.keys() > OF_LINKS
    assert CALLS.keys() < VERBS.keys()


def test_every_verb_is_in_a_table():
    assert unknown() == set()


def says_so(verb, room):
    """Use a verb whose session has something to tell of it at once."""
    session = room.driver.session
    name = CALLS.get(verb, verb)
    real = getattr(session, name)

    def telling(*args, **named):
        session.warn(WarningCode.SILENT, verb)
        return real(*args, **named)

    setattr(session, name, telling)
    try:
        call(room, verb)
    finally:
        delattr(session, name)


def told(verb, event):
    return isinstance(event, Warning) and event.text == verb


@pytest.fixture(scope="module")
def realm():
    with realm_in_thread(livekit=False) as one:
        yield one


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("verb", sorted(IN_A_ROOM.keys() - OF_LINKS))
def test_a_room(loop, verb):
    quiet(loop, f"simulator:quiet{next(numbers)}", partial(says_so, verb), partial(told, verb))


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("verb", sorted(VERBS.keys() - OF_LINKS - NEED_MORE))
def test_a_world(realm, loop, verb):
    target = f"{realm.url}/world/quiet{next(numbers)}.dcl.eth"
    quiet(loop, target, partial(says_so, verb), partial(told, verb), wallet=DisposableWallet())


# --- what really happens


def in_scene(event):
    return isinstance(event, RoomOpened) and event.room == "scene"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_scene_beside_a_worlds_ws_room(realm, loop):
    target = f"{realm.url}/world/scenes{next(numbers)}.dcl.eth"
    gatekeeper = realm.url + "/get-scene-adapter"
    enter = partial(call, verb="enter_scene")
    quiet(loop, target, enter, in_scene, wallet=DisposableWallet(), gatekeeper=gatekeeper)


@EACH_ENGINE
@pytest.mark.livekit
@pytest.mark.dcl_realm(livekit=True)
@pytest.mark.parametrize("loop", LOOPS)
def test_a_scene_beside_a_worlds_room_of_livekit(dcl_realm, loop):
    target, gatekeeper = dcl_realm.url + "/world/plaza.dcl.eth", dcl_realm.url + "/get-scene-adapter"
    enter = partial(call, verb="enter_scene")
    quiet(loop, target, enter, in_scene, wallet=DisposableWallet(), gatekeeper=gatekeeper)


def offline():
    """A realm without comms."""
    comms = {"healthy": True, "protocol": "v3", "adapter": "offline:offline"}
    body = json.dumps({"healthy": True, "comms": comms, "configurations": {"realmName": "alone"}})
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}".encode()


@pytest.mark.parametrize("loop", LOOPS)
def test_a_scene_of_an_offline_world(realm, loop):
    with serving(offline()) as (port, _):
        enter = partial(call, verb="enter_scene")
        gatekeeper = realm.url + "/get-scene-adapter"
        target = f"http://127.0.0.1:{port}"
        quiet(loop, target, enter, in_scene, wallet=DisposableWallet(), gatekeeper=gatekeeper)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_scene_that_can_not_be_asked_for(loop):
    def refused(event):
        return isinstance(event, RoomClosed) and event.reason is CloseReason.NO_WALLET

    with serving(offline()) as (port, _):
        quiet(loop, f"http://127.0.0.1:{port}", partial(call, verb="enter_scene"), refused)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_scene_that_is_left(realm, loop):
    def act(room):
        room.enter_scene(SCENE, (0, 0))
        room.leave_scene()
        room.enter_scene(SCENE, (0, 0))

    target = f"{realm.url}/world/left{next(numbers)}.dcl.eth"
    quiet(loop, target, act, in_scene, wallet=DisposableWallet(), gatekeeper=realm.url + "/get-scene-adapter")


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("code", "act"),
    [
        (WarningCode.CHAT_LARGE, lambda room: room.chat("x" * 201)),
        (WarningCode.SCENE_MESSAGE_LARGE, lambda room: room.scene_message(SCENE, bytes(13_500))),
        (WarningCode.ADDRESSEE_UNKNOWN, lambda room: room.chat("x", to=PeerId("nobody"))),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_warnings_of_what_was_just_sent(loop, code, act):
    def warned(event):
        return isinstance(event, Warning) and event.code is code

    quiet(loop, f"simulator:quiet{next(numbers)}", act, warned)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_end_that_we_made(loop):
    def close(room):
        room.driver.close(None)

    quiet(loop, f"simulator:quiet{next(numbers)}", close, lambda event: isinstance(event, RoomClosed))
