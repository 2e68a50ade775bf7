"""The other party: a program on the official SDK, ``livekit.rtc``, driven by JSON lines.

Run as a script it is the peer; imported, ``SdkPeer`` starts one and talks to it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path


class SdkPeer:
    """A peer in a process of its own."""

    script = __file__

    def __init__(self, url, token, **options):
        self.start()
        self.tell("connect", url=url, token=token, **options)

    def start(self, *arguments):
        # -P: livekit is the wheel, not the rig.
        self.run([sys.executable, "-P", "-W", "ignore", self.script, *arguments])

    def run(self, command):
        """Whatever takes orders and reports as this does."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        self.lines = queue.Queue()
        self.seen = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.lines.put(json.loads(line))

    def tell(self, what, **details):
        self._process.stdin.write(json.dumps({"do": what, **details}) + "\n")
        self._process.stdin.flush()

    def send(self, data, to=(), *, reliable=True, topic=""):
        self.tell("send", data=base64.b64encode(data).decode(), to=list(to), reliable=reliable, topic=topic)

    def expect(self, what, timeout=40.0, **fields):
        """Wait for a report; blocking, so call it off the loop's thread or where the loop may pause."""
        end = time.monotonic() + timeout
        while True:
            try:
                report = self.lines.get(timeout=max(end - time.monotonic(), 0.01))
            except queue.Empty:
                raise AssertionError(f"no {what} {fields} from the peer; it said {self.seen}") from None
            self.seen.append(report)
            if report["event"] == what and all(report.get(key) == value for key, value in fields.items()):
                return report

    def until(self, condition, timeout=40.0):
        """Read reports until a condition on what was seen holds; lossy packets may come after later reliable ones."""
        end = time.monotonic() + timeout
        while not condition():
            try:
                self.seen.append(self.lines.get(timeout=max(end - time.monotonic(), 0.01)))
            except queue.Empty:
                raise AssertionError(f"the peer said no more than {self.seen}") from None

    def take(self):
        """Take the reports that are there."""
        while not self.lines.empty():
            self.seen.append(self.lines.get())

    def data(self):
        """Packets it got so far: (sender, bytes, topic)."""
        return [
            (report["sender"], base64.b64decode(report["data"]), report["topic"])
            for report in self.seen
            if report["event"] == "data"
        ]

    def close(self):
        if self._process.poll() is None:
            try:
                self.tell("quit")
                self._process.wait(10)
            except (OSError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        self._process.stdin.close()
        self._reader.join(5)
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def say(event, **details):
    print(json.dumps({"event": event, **details}), flush=True)


async def tone_power(track, seconds):
    """The strongest frequency of a track's sound, and how far it stands above the rest (dB), in its best 0.3 s."""
    import numpy as np
    from livekit import rtc

    stream = rtc.AudioStream(track, sample_rate=48000, num_channels=1)
    samples = []
    needed = int(48000 * seconds)
    async for event in stream:
        chunk = np.frombuffer(event.frame.data, dtype=np.int16)
        if samples or np.abs(chunk).max() > 1000:
            samples.append(chunk)
        if sum(map(len, samples)) >= needed:
            break
    await stream.aclose()
    return best_stretch(np.concatenate(samples), 14_400)


def best_stretch(signal, length):
    """``strongest`` of that stretch of so many samples in which it stands out most: a busy machine tears holes."""
    starts = range(0, len(signal) - length + 1, length // 6)
    return max((strongest(signal[start : start + length]) for start in starts), key=lambda found: found[1])


def strongest(signal):
    """(Hz, dB above everything that is further than 20 Hz away) of 48 kHz samples."""
    import numpy as np

    power = np.abs(np.fft.rfft(signal.astype(float) * np.hanning(len(signal)))) ** 2
    hertz = np.fft.rfftfreq(len(signal), 1 / 48000)
    peak = hertz[power.argmax()]
    near = np.abs(hertz - peak) <= 20
    return float(peak), float(10 * np.log10(power[near].sum() / max(power[~near].sum(), 1e-9)))


async def square_places(track, pictures):
    """Where a moving square is in the next pictures of a track, by what is bright in them."""
    import numpy as np
    from livekit import rtc
    from rigs.drivers import pattern

    stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420)
    places = []
    async for event in stream:
        frame = event.frame
        luma = np.frombuffer(frame.data, dtype=np.uint8)[: frame.width * frame.height]
        places.append(pattern.found(luma.reshape(frame.height, frame.width)))
        if len(places) >= pictures:
            break
    await stream.aclose()
    return places


async def play_square(room, seconds, falling):
    from livekit import rtc
    from rigs.drivers import pattern

    source = rtc.VideoSource(pattern.WIDTH, pattern.HEIGHT)
    track = rtc.LocalVideoTrack.create_video_track("camera", source)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=False)
    await room.local_participant.publish_track(track, options)
    for number in range(int(seconds * 20)):
        pixels = pattern.picture(number, falling=falling)
        source.capture_frame(rtc.VideoFrame(pattern.WIDTH, pattern.HEIGHT, rtc.VideoBufferType.RGBA, pixels))
        await asyncio.sleep(0.05)


async def play_tone(room, frequency, seconds):
    import numpy as np
    from livekit import rtc

    source = rtc.AudioSource(48000, 1)
    track = rtc.LocalAudioTrack.create_audio_track("mic", source)
    await room.local_participant.publish_track(track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE))
    for index in range(int(seconds * 100)):
        times = (np.arange(480) + index * 480) / 48000
        data = (np.sin(2 * np.pi * frequency * times) * 12000).astype(np.int16)
        await source.capture_frame(rtc.AudioFrame(data.tobytes(), 48000, 1, 480))
    say("played")


def options(rtc, key):
    """With a key, whatever the peer sends is encrypted end to end."""
    if key is None:
        return rtc.RoomOptions()
    return rtc.RoomOptions(e2ee=rtc.E2EEOptions(key_provider_options=rtc.KeyProviderOptions(shared_key=key.encode())))


async def main():
    from livekit import rtc

    room = rtc.Room()
    tasks = set()

    def spawn(coroutine):
        task = asyncio.ensure_future(coroutine)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    @room.on("data_received")
    def _(packet):
        say(
            "data",
            sender=packet.participant.identity if packet.participant else None,
            data=base64.b64encode(packet.data).decode(),
            topic=packet.topic or "",
            reliable=packet.kind == rtc.DataPacketKind.KIND_RELIABLE,
        )

    room.on("participant_connected", lambda who: say("joined", identity=who.identity))
    room.on("participant_disconnected", lambda who: say("left", identity=who.identity))
    room.on("reconnecting", lambda: say("reconnecting"))
    room.on("reconnected", lambda: say("reconnected"))
    room.on("disconnected", lambda reason: say("disconnected", reason=int(reason)))

    async def listen(track, who):
        hertz, above = await tone_power(track, 1.0)
        say("tone", identity=who, hertz=hertz, above=above)

    async def look(track, who):
        places = await square_places(track, 20)
        say("square", identity=who, places=places)

    @room.on("track_subscribed")
    def _(track, _publication, who):
        say("track", identity=who.identity)
        spawn((listen if track.kind == rtc.TrackKind.KIND_AUDIO else look)(track, who.identity))

    room.on(
        "track_published", lambda pub, who: say("published", source=int(pub.source), name=pub.name, muted=pub.muted)
    )
    room.on("track_unpublished", lambda pub, who: say("unpublished", sid=pub.sid))
    room.on("track_muted", lambda who, pub: say("muted", identity=who.identity, sid=pub.sid))
    room.on("track_unmuted", lambda who, pub: say("unmuted", identity=who.identity, sid=pub.sid))

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        order = json.loads(line)
        what = order.pop("do")
        if what == "connect":
            await room.connect(order["url"], order["token"], options(rtc, order.get("key")))
            for number in range(order.get("burst", 0)):
                await room.local_participant.publish_data(f"early {number}".encode(), reliable=True)
            say("connected", peers=sorted(room.remote_participants))
        elif what == "send":
            try:
                await room.local_participant.publish_data(
                    base64.b64decode(order["data"]),
                    reliable=order["reliable"],
                    destination_identities=order["to"],
                    topic=order["topic"],
                )
            except Exception as error:
                say("send_failed", error=type(error).__name__)
            else:
                say("sent")
        elif what == "tone":
            spawn(play_tone(room, order["hertz"], order["seconds"]))
        elif what == "video":
            spawn(play_square(room, order["seconds"], order.get("falling", True)))
        elif what in {"mute", "unmute", "unpublish"}:
            for sid, publication in list(room.local_participant.track_publications.items()):
                if what == "unpublish":
                    await room.local_participant.unpublish_track(sid)
                else:
                    getattr(publication.track, what)()
        elif what == "quit":
            break
    await room.disconnect()


if __name__ == "__main__":
    asyncio.run(main())
