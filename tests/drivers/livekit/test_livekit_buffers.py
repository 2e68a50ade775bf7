"""Frames are views of native memory: no copy, and the memory is not given back while anything can still read it.

The native side is played by ctypes buffers that are overwritten with 0xDD as soon as they are given back, so that
whatever reads on would read that.
"""

from __future__ import annotations

import ctypes
import gc
import threading

import numpy as np
import pytest
from dcl_comms_drivers.livekit.engine.audio import AudioSink
from dcl_comms_drivers.livekit.engine.buffers import Hold, native_view
from dcl_comms_drivers.livekit.engine.engine import Engine
from dcl_comms_drivers.livekit.engine.ffi import FfiEvent, FfiRequest, FfiResponse, room_pb2, video_frame_pb2
from dcl_comms_drivers.livekit.engine.members import Members
from dcl_comms_drivers.livekit.engine.video import VideoSink
from dcl_comms_drivers.livekit.own_tracks import OwnTracks
from dcl_comms_drivers.media.frames import AudioFrame, VideoFormat, VideoFrame, VideoTrack
from rigs.drivers.livekit import Player, nothing_left

from dcl_comms_core import DEFAULT_LIMITS, LinkRef, LocalProtocolError, TrackAttached, TrackDetached

STREAM = 7


class Poisoned:
    """An engine, as far as a sink needs one, and a room in it."""

    def __init__(self):
        self.engine = self.members = self
        self.on_over = []
        self.memory = {}
        self.released = []
        self.detached = []
        self.woken = []
        self.request = FfiRequest()
        self.on_event = None

    def is_encrypted(self, _sid):
        return False

    def native(self, content):
        """Memory of the engine; its handle and address."""
        memory = (ctypes.c_ubyte * len(content)).from_buffer_copy(content)
        handle = 100 + len(self.memory)
        self.memory[handle] = memory
        return handle, ctypes.addressof(memory)

    def release(self, handle):
        self.released.append(handle)
        memory = self.memory[handle]
        ctypes.memset(memory, 0xDD, len(memory))

    def discard(self, event):
        self.release(event.audio_stream_event.frame_received.frame.handle.id)

    def track_handle(self, sid):
        return 1 if sid == "TR" else None

    def open_stream(self, request, handle_of, on_event):
        self.request = request
        self.on_event = on_event
        response = FfiResponse()
        response.new_audio_stream.stream.handle.id = response.new_video_stream.stream.handle.id = STREAM
        del handle_of
        return STREAM

    def detach_stream(self, handle):
        self.detached.append(handle)

    def drop(self, handle):
        assert handle == STREAM

    def in_loop(self, callback):
        self.woken.append(callback)

    # -- what the engine sends

    def sound(self, content):
        handle, address = self.native(content)
        event = FfiEvent()
        event.audio_stream_event.stream_handle = STREAM
        frame = event.audio_stream_event.frame_received.frame
        frame.handle.id = handle
        frame.info.data_ptr = address
        frame.info.num_channels, frame.info.sample_rate = 2, 48_000
        frame.info.samples_per_channel = len(content) // 4
        self.on_event(event)
        return handle

    def picture(self, content, width, height, planes, rotation=video_frame_pb2.VIDEO_ROTATION_90):
        handle, address = self.native(content)
        event = FfiEvent()
        event.video_stream_event.stream_handle = STREAM
        frame = event.video_stream_event.frame_received
        frame.timestamp_us, frame.rotation = 1_000_001, rotation
        frame.buffer.handle.id = handle
        info = frame.buffer.info
        info.type = video_frame_pb2.I420 if planes else video_frame_pb2.RGBA
        info.width, info.height, info.data_ptr = width, height, address
        for start, stride, size in planes:
            info.components.add(data_ptr=address + start, stride=stride, size=size)
        self.on_event(event)
        return handle

    def end(self):
        event = FfiEvent()
        event.audio_stream_event.stream_handle = STREAM
        event.audio_stream_event.eos.SetInParent()
        self.on_event(event)


def samples(first):
    return bytes((first + n) % 256 for n in range(960))


def test_a_view_is_the_memory_itself_and_keeps_it_until_its_last_part_dies():
    poisoned = Poisoned()
    handle, address = poisoned.native(bytes(range(100)))
    view = native_view(address, 100, Hold(lambda: poisoned.release(handle)))
    poisoned.memory[handle][3] = 77
    assert view[3] == 77
    with pytest.raises(TypeError, match="read-only"):
        view[0] = 1
    part, wide, array = view[10:20], view.cast("h"), np.frombuffer(view, dtype=np.uint8)[30:40].reshape(2, 5)
    assert not array.flags.writeable
    del view
    gc.collect()
    assert poisoned.released == []
    assert (bytes(part), wide[6], array[0, 0]) == (bytes(range(10, 20)), 12 + 13 * 256, 30)
    del part, wide
    gc.collect()
    assert poisoned.released == []
    assert array.tolist() == [[30, 31, 32, 33, 34], [35, 36, 37, 38, 39]]
    del array
    gc.collect()
    assert poisoned.released == [handle]


def test_the_poison_works():
    """A control: memory that is given back too early is seen to be."""
    poisoned = Poisoned()
    handle, address = poisoned.native(bytes(range(100)))
    view = native_view(address, 100, Hold(lambda: None))
    poisoned.release(handle)
    assert set(view) == {0xDD}


def test_the_last_view_may_die_on_another_thread():
    poisoned = Poisoned()
    handle, address = poisoned.native(b"abc")
    views = [native_view(address, 3, Hold(lambda: poisoned.release(handle)))]
    thread = threading.Thread(target=views.clear)
    thread.start()
    thread.join()
    assert poisoned.released == [handle]


def test_no_memory_is_no_bytes():
    assert bytes(native_view(0, 10, Hold(int))) == bytes(native_view(1, 0, Hold(int))) == b""


def test_sound_that_is_kept_stays_what_it_was():
    poisoned = Poisoned()
    sink = AudioSink(poisoned, "TR", channels=2)
    first, second = poisoned.sound(samples(1)), poisoned.sound(samples(2))
    frame = sink.poll()
    assert isinstance(frame, AudioFrame)
    assert (frame.sample_rate, frame.channels, frame.samples) == (48_000, 2, 240)
    array, tail = frame.array, frame.data[950:]
    assert array.shape == (240, 2)
    assert array[0, 1] == 3 + 4 * 256
    # The end of everything else gives only the other frame back.
    sink.poll()
    sink.close()
    poisoned.end()
    del frame, sink
    gc.collect()
    assert poisoned.released == [second]
    assert array.tobytes() == samples(1)
    assert bytes(tail) == samples(1)[950:]
    del array
    gc.collect()
    assert poisoned.released == [second]
    del tail
    gc.collect()
    assert poisoned.released == [second, first]


def test_frames_nobody_reads_are_bounded_and_given_back_at_once():
    poisoned = Poisoned()
    sink = AudioSink(poisoned, "TR", max_frames=3)
    handles = [poisoned.sound(samples(n)) for n in range(10)]
    assert (sink.dropped, poisoned.released) == (7, handles[:7])
    assert [bytes(sink.poll().data[:1]) for _ in range(3)] == [b"\x07", b"\x08", b"\x09"]
    assert sink.poll() is None
    # Woken once for all of them.
    assert len(poisoned.woken) == 1
    sink.close()
    late = poisoned.sound(samples(99))
    assert poisoned.released[-1] == late
    assert sink.poll() is None
    assert poisoned.detached == []
    poisoned.end()
    assert poisoned.detached == [STREAM]
    assert sink.ended


def test_pictures_are_views_too():
    poisoned = Poisoned()
    sink = VideoSink(poisoned, "TR", format=VideoFormat.I420)
    assert poisoned.request.new_video_stream.format == video_frame_pb2.I420
    content = bytes(range(15)) + bytes(range(100, 112))
    # 5 x 3: the planes of colour are 3 x 2.
    handle = poisoned.picture(content, 5, 3, [(0, 5, 15), (15, 3, 6), (21, 3, 6)])
    frame = sink.poll()
    assert isinstance(frame, VideoFrame)
    assert (frame.width, frame.height, frame.format) == (5, 3, VideoFormat.I420)
    assert (frame.timestamp_us, frame.rotation) == (1_000_001, 90)
    assert [bytes(plane) for plane in frame.planes] == [content[:15], content[15:21], content[21:]]
    y, u, v = frame.arrays
    assert (y.shape, u.shape, v.shape) == ((3, 5), (2, 3), (2, 3))
    del frame, sink, y, u
    gc.collect()
    assert poisoned.released == []
    assert v.tolist() == [[106, 107, 108], [109, 110, 111]]
    del v
    gc.collect()
    assert poisoned.released == [handle]


def test_planes_that_are_not_together_are_put_together():
    poisoned = Poisoned()
    sink = VideoSink(poisoned, "TR")
    handle = poisoned.picture(b"yyyy--u--v", 2, 2, [(0, 2, 4), (6, 1, 1), (9, 1, 1)])
    frame = sink.poll()
    assert bytes(frame.data) == b"yyyyuv"
    assert poisoned.released == [handle]


def test_packed_pictures():
    poisoned = Poisoned()
    sink = VideoSink(poisoned, "TR", max_frames=1)
    poisoned.picture(bytes(range(24)), 3, 2, [])
    (array,) = sink.poll().arrays
    assert array.shape == (2, 3, 4)
    assert array[1, 2].tolist() == [20, 21, 22, 23]


def test_what_can_not_be_read():
    with pytest.raises(LocalProtocolError, match="max_frames is at least 1"):
        AudioSink(Poisoned(), "TR", max_frames=0)
    with pytest.raises(LocalProtocolError, match="wait for TrackSubscribed"):
        VideoSink(Poisoned(), "TR_other")
    assert (DEFAULT_LIMITS.audio_frames, DEFAULT_LIMITS.video_frames) == (100, 4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 2, "height": 2, "data": bytes(15)}, "2 x 2 RGBA takes 16 bytes, not 15"),
        ({"width": 3, "height": 3, "data": bytes(16), "format": VideoFormat.I420}, "takes 17 bytes, not 16"),
        ({"width": 2, "height": 2, "data": bytes(13), "format": VideoFormat.RGB24}, "takes 12 bytes"),
        ({"width": 0, "height": 2, "data": b""}, "0 x 2"),
        ({"width": 1, "height": 1, "data": bytes(4), "rotation": 45}, "not 45"),
    ],
)
def test_pictures_that_are_none(fields, message):
    with pytest.raises(LocalProtocolError, match=message):
        VideoFrame(**fields)


def test_arrays_need_numpy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    frame = AudioFrame(data=memoryview(bytes(4)), sample_rate=48_000, channels=1, samples=2)
    with pytest.raises(LocalProtocolError, match=r"dcl-comms\[numpy\]"):
        print(frame.array)


@pytest.mark.livekit
def test_the_engine_s_own_memory_outlives_the_room_while_it_is_looked_at(livekit_room, monkeypatch):
    room = livekit_room()
    speaker, listener = Player(), Player()
    listener.join(room.connection_string("listener"))
    speaker.join(room.connection_string("speaker"))
    source = speaker.link.publish_audio()
    camera = speaker.link.publish_video(VideoTrack(width=64, height=48, simulcast=False))

    def both(condition):
        return listener.until(lambda: (speaker.turn(), condition() or None)[1])

    both(lambda: len(listener.of(TrackAttached)) == 2 and source.sid and camera.sid)
    engine = Engine.get()
    released = []
    real = engine.release
    monkeypatch.setattr(engine, "release", lambda handle: (released.append(handle), real(handle))[1])
    sound, video = listener.link.open_audio(source.sid), listener.link.open_video(camera.sid)
    assert engine.streams >= 2
    wave = bytes((n * 7) % 256 for n in range(960))

    def speak():
        source.capture(wave)
        camera.capture(VideoFrame(width=64, height=48, data=bytes([200, 100, 50, 255]) * (64 * 48)))
        listener.rest(0.02)

    def frame_of(sink):
        def step():
            speak()
            return sink.poll()

        return both(step)

    # A track begins with black, be it for a picture or two.
    while (picture := frame_of(video)).arrays[0][20][30, 0] < 100:
        pass
    heard = frame_of(sound)
    row, copy = picture.arrays[0][20], picture.arrays[0][20].copy()
    tail, tail_copy = heard.data[100:], bytes(heard.data[100:])
    del picture, heard
    sound.close()
    video.close()
    camera.close()
    speaker.close()
    listener.close()
    del sound, video
    gc.collect()
    # The last events of both streams have come: nobody waits for them any more.
    both(lambda: engine.live_handles == engine.streams == 0)
    assert nothing_left()
    before = len(released)
    assert row.tolist() == copy.tolist()
    assert abs(int(row[30, 0]) - 200) < 30
    assert bytes(tail) == tail_copy
    del row
    gc.collect()
    assert len(released) == before + 1
    del tail
    gc.collect()
    assert len(released) == before + 2
    assert engine.refused_drops == 0


def test_a_track_that_ends_while_its_room_is_left_is_given_back_with_the_room():
    """Meanwhile the engine takes the tracks' handles and puts others in their places: in between it knows none."""

    class Handles:
        def __init__(self):
            self.given_back = []

        def own(self, handle):
            return handle

        def drop(self, handle):
            self.given_back.append(handle)

    def told(**event):
        (kind,) = event
        return [type(inp) for inp in members.inputs(kind, room_pb2.RoomEvent(room_handle=1, **event))]

    def subscribed(sid, handle):
        info = {"sid": sid, "name": "", "kind": 1, "stream_state": 1, "muted": False, "remote": True}
        return told(track_subscribed={"participant_identity": "bob", "track": {"handle": {"id": handle}, "info": info}})

    def unsubscribed(sid):
        return told(track_unsubscribed={"participant_identity": "bob", "track_sid": sid})

    engine = Handles()
    members = Members(LinkRef(0, 1), engine, OwnTracks(LinkRef(0, 1)))
    for sid, handle in (("TR_1", 11), ("TR_2", 12), ("TR_3", 13)):
        assert subscribed(sid, handle) == [TrackAttached]
    assert unsubscribed("TR_1") == [TrackDetached]
    assert engine.given_back == [11]
    members.leave()
    assert unsubscribed("TR_2") == [TrackDetached]
    assert subscribed("TR_3", 14) == [TrackAttached]
    assert engine.given_back == [11]
    assert sorted(members.end()) == [12, 13, 14]
    assert members.end() == []
