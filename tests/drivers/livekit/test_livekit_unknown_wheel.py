"""A wheel that the engine's link does not know: asyncio goes on over the SDK and says so, the other loops say what to do.

Each case is a process of its own, because which wheel it is, is asked when the module is imported.  Where the installed
wheel is one that we know, the real check is made to fail: by its version, or by a field that no wheel has.  Where it is
really another one (.ci/wheels), nothing is done to it.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

KNOWN = (
    subprocess.run(
        [sys.executable, "-c", "import dcl_comms_drivers.livekit.engine.ffi"], check=False, capture_output=True
    ).returncode
    == 0
)

ANOTHER_VERSION = """
from livekit import rtc
rtc.__version__ = "1.3.0"
"""
ANOTHER_FIELD = """
import importlib.util, sys
import dcl_comms_drivers.livekit

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "dcl_comms_drivers.livekit.engine.ffi":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        sys.meta_path.insert(0, self)
        source = spec.loader.get_source(name)
        asking = source.replace('"ConnectRequest": "url', '"ConnectRequest": "no_such_field url')
        assert asking != source
        spec.loader.get_code = lambda _: compile(asking, spec.origin, "exec")
        return spec

sys.meta_path.insert(0, Finder())
"""
WHEELS = {"version": ANOTHER_VERSION, "field": ANOTHER_FIELD} if KNOWN else {"installed": ""}


@pytest.fixture(params=WHEELS)
def run(request):
    """Run a program with such a wheel; give what it printed, line by line."""

    def run(program, *args, **environment):
        import os

        result = subprocess.run(
            [sys.executable, "-c", WHEELS[request.param] + textwrap.dedent(program), *args],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
            env={**os.environ, **environment},
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.splitlines(), result.stderr

    return run


SAY = """
    import asyncio, sys, warnings
    from dcl_comms_drivers import asyncio as on_asyncio, polled, trio as on_trio
    from dcl_comms_drivers.livekit.errors import EngineUnavailable

    def refused(make):
        try:
            make()
        except EngineUnavailable as error:
            print(error.problem.name, error)
        else:
            print("not refused")

"""


@pytest.mark.livekit
def test_asyncio_goes_on_over_the_sdk_with_a_warning(run, livekit_room):
    program = (
        SAY
        + """
    async def main():
        async with on_asyncio.connect(sys.argv[1], silent=True) as room:
            room.chat("hello")
            await room.flush()
            print(room.stats.link, room.stats.sent)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(main())
    for warning in caught:
        print(warning.category.__name__, warning.message)
    """
    )
    said, _ = run(program, livekit_room().connection_string("me"))
    assert said[0] == "sdk 1"
    assert len(said) == 2
    assert said[1].startswith("SdkFallbackWarning livekit ")
    assert "pip install" in said[1]


TARGET = "livekit:ws://127.0.0.1:1?access_token=eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSIsInZpZGVvIjp7InJvb20iOiJyIiwicm9vbUpvaW4iOnRydWV9fQ.c2ln"


@pytest.mark.parametrize(
    ("loop", "settings"),
    [
        ("trio", "{}"),
        ("polled", "{}"),
        ("trio", "{'livekit': 'engine'}"),
        ("asyncio", "{'livekit': 'engine'}"),
    ],
)
def test_others_are_told_what_to_do(run, loop, settings):
    open_it = {
        "asyncio": "lambda: asyncio.run(enter(on_asyncio))",
        "trio": "lambda: trio.run(enter, on_trio)",
        "polled": "lambda: polled.open(sys.argv[1], **settings)",
    }[loop]
    program = (
        SAY
        + f"""
    import trio
    settings = {settings}
    async def enter(driver):
        async with driver.connect(sys.argv[1], **settings):
            pass
    refused({open_it})
    """
    )
    (said,), _ = run(program, TARGET)
    assert said.startswith("UNKNOWN_WHEEL this version of the livekit package is not known to work: livekit ")
    assert "pip install" in said
    assert "DCL_COMMS_LIVEKIT=sdk" in said


@pytest.mark.livekit
@pytest.mark.parametrize("loop", ["trio", "polled"])
def test_the_sdk_can_be_asked_for_on_every_loop(run, livekit_room, loop):
    """Nothing warns: it was asked for."""
    program = (
        SAY
        + """
    import time, trio
    warnings.simplefilter("error")
    async def main():
        async with on_trio.connect(sys.argv[1], silent=True) as room:
            room.chat("hello")
            await room.flush()
            print(room.stats.link, room.stats.sent)
    if sys.argv[2] == "trio":
        trio.run(main)
    else:
        with polled.open(sys.argv[1], silent=True) as room:
            while room.state.value != "open":
                room.poll()
                time.sleep(0.01)
            room.chat("hello")
            while not room.stats.sent:
                room.poll()
                time.sleep(0.01)
            print(room.stats.link, room.stats.sent)
    """
    )
    said, _ = run(program, livekit_room().connection_string("me"), loop, DCL_COMMS_LIVEKIT="sdk")
    assert said == ["sdk 1"]
