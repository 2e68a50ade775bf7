"""dcl-comms doctor: which engine carries a room of LiveKit's, and why."""

from __future__ import annotations

import pytest
from conftest import start_livekit_server
from dcl_comms_drivers.livekit.rtc.auto import forget_hosts
from dcl_comms_station.doctor import engine
from dcl_comms_station.exits import Exit
from dcl_comms_station.loops import LOOPS

from dcl_comms_core.limits import Limits

BOTH_LOOPS = pytest.mark.parametrize("loop", sorted(LOOPS))
pytestmark = pytest.mark.livekit


@pytest.fixture(autouse=True)
def no_memory():
    forget_hosts()
    yield
    forget_hosts()


@BOTH_LOOPS
@pytest.mark.usefixtures("rtc")
def test_our_own_where_it_is_installed(examine, livekit_room, loop):
    code, findings = examine(livekit_room().connection_string("0xDoctor"), "--loop", loop)
    assert code == Exit.OK
    own, _, media = findings["engine"]["detail"].partition("; ")
    assert own.startswith("rtc 0.")
    assert own.endswith(": dcl_comms_rtc is installed, and no tracks are wanted")
    assert media.startswith("for sound and pictures, livekit 1.")
    assert findings["join"]["detail"] == "as 0xDoctor, with 0 others, by our own engine"


@pytest.mark.parametrize("installed", [True, False])
def test_the_package_where_it_is_asked_for_or_alone(examine, livekit_room, monkeypatch, installed):
    if installed:
        monkeypatch.setenv("DCL_COMMS_ENGINE", "livekit")
    else:
        monkeypatch.setattr("dcl_comms_drivers.livekit.choice.has_rtc", lambda: False)
    code, findings = examine(livekit_room().connection_string("0xDoctor"))
    why = "DCL_COMMS_ENGINE asks for it" if installed else "dcl_comms_rtc is not installed"
    assert code == Exit.OK
    assert findings["engine"]["detail"].startswith("livekit 1.")
    assert findings["engine"]["detail"].endswith(f": {why}")
    assert findings["join"]["detail"] == "as 0xDoctor, with 0 others, by the livekit package's engine"


def test_our_own_where_it_is_asked_for_and_not_there(examine, livekit_room, monkeypatch):
    monkeypatch.setenv("DCL_COMMS_ENGINE", "rtc")
    monkeypatch.setattr(engine, "has_rtc", lambda: False)
    code, findings = examine(livekit_room().connection_string("0xDoctor"))
    assert (code, findings["engine"]["status"]) == (Exit.USAGE, "failed")
    assert "dcl_comms_rtc, is not installed" in findings["engine"]["detail"]
    assert "make rtc" in findings["engine"]["fix"]
    assert findings["join"]["status"] == "skipped"


@pytest.mark.usefixtures("rtc")
def test_our_own_alone(examine, livekit_room, monkeypatch):
    monkeypatch.setattr(engine, "version_of", lambda package: "" if package == "livekit" else "0.1.0")
    _, findings = examine(livekit_room().connection_string("0xDoctor"))
    media = 'the livekit package, which is not installed: pip install "dcl-comms[livekit]"'
    assert findings["engine"]["detail"].endswith(f"; for sound and pictures, {media}")


@pytest.mark.usefixtures("rtc")
def test_a_server_that_no_datagram_reaches(examine, monkeypatch):
    """The room says which engine it is after all, and so does the next visit, before it is tried."""
    hasty = Limits(ice_seconds=0.0001)
    monkeypatch.setattr("dcl_comms_drivers.settings.DEFAULT_LIMITS", hasty)
    with start_livekit_server() as server:
        code, findings = examine(server.connection_string("0xDoctor", "r"))
        assert (code, findings["join"]["status"]) == (Exit.OK, "warning")
        assert findings["join"]["detail"].endswith("by the livekit package's engine")
        assert "let UDP to it pass" in findings["join"]["fix"]
        code, findings = examine(server.connection_string("0xDoctor", "r"))
    assert code == Exit.OK
    assert findings["engine"]["detail"].endswith(": no datagram reached this server before")
    assert findings["join"]["status"] == "ok"


@pytest.mark.usefixtures("rtc")
@pytest.mark.dcl_realm(livekit=True)
def test_of_a_realm(examine, dcl_realm, monkeypatch):
    code, findings = examine(dcl_realm.url)
    assert code == Exit.OK
    assert findings["join"]["detail"].endswith(" others, by our own engine")
    forget_hosts()
    monkeypatch.setattr("dcl_comms_station.doctor.realm.DEFAULT_LIMITS", Limits(ice_seconds=0.0001))
    code, findings = examine(dcl_realm.url)
    assert (code, findings["join"]["status"]) == (Exit.OK, "warning")
    assert findings["join"]["detail"].endswith(", by the livekit package's engine")
    assert "let UDP to it pass" in findings["join"]["fix"]
