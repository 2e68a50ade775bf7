"""Recording beside a connection, on every loop: what is in the file is what another tap saw."""

from __future__ import annotations

import stat

import pytest
from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station.recording import Recording, RecordingStopped, open_recording
from rigs.drivers.kit import Kit
from rigs.station.observations import Heard

from dcl_comms_core import ChatReceived, PeerJoined
from dcl_comms_core.tap import Taps

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "trio", "polled"])


@LOOPS
def test_a_connection_is_recorded_on_every_loop(loop, tmp_path):
    heard = Heard()
    path = tmp_path / "evening.mcap"
    with realm_in_thread(livekit=False) as realm, Recording(path, about={"target": "a realm"}) as recording:
        part = tmp_path / "evening.mcap.part"
        assert stat.S_IMODE(part.stat().st_mode) == 0o600

        async def scenario(kit):
            async with (
                kit.connect(realm.url, wallet=DisposableWallet(), tap=Taps(heard, recording.tap)) as alice,
                kit.connect(realm.url, wallet=DisposableWallet()) as bob,
            ):
                await alice.expect(PeerJoined)
                bob.chat("hi")
                alice.chat("hello")
                await bob.flush()
                await alice.expect(ChatReceived)
                await alice.flush()

        Kit(loop).run(scenario)
        assert not path.exists()
        state = recording.finish()
        assert recording.finish() == state
    assert not part.exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert state.lost == 0
    assert state.bytes == path.stat().st_size
    again = Heard()
    with open_recording(path) as recorded:
        recorded.tell(again)
        assert recorded.unread == 0
        assert recorded.count == state.messages
    assert again.calls == heard.calls
    assert {"received", "sent", "acknowledged", "step"} == {call[0] for call in heard.calls}


def test_nothing_that_is_there_is_written_over(tmp_path):
    path = tmp_path / "one.mcap"
    with Recording(path), pytest.raises(RecordingStopped, match="is there already: what was not finished"):
        Recording(path)
    with pytest.raises(RecordingStopped, match="is there already"):
        Recording(path)
    with open_recording(path) as recorded:
        assert list(recorded.observations()) == []
    assert [one.name for one in tmp_path.iterdir()] == ["one.mcap"]
