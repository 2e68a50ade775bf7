"""The native callback alone: a real extension, a made-up engine, and threads that call it without Python's lock."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dcl_comms_drivers.livekit.engine import callback, ffi
from dcl_comms_drivers.livekit.engine.callback import choose
from dcl_comms_drivers.livekit.engine.engine import Engine
from dcl_comms_drivers.livekit.errors import EngineUnavailable

import dcl_comms_core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUILD = runpy.run_path(str(Path(dcl_comms_core.__file__).parent / "codec" / "_native" / "build.py"))
HAS_COMPILER = any(map(shutil.which, ("cc", "gcc", "clang")))
FOUND = callback.load_native()
needs_native = pytest.mark.skipif(isinstance(FOUND, str), reason=f"no native callback: {FOUND}")

ENGINE = """
import ctypes, os, select, sys, threading, time
from dcl_comms_drivers.livekit.engine import ffi
from dcl_comms_drivers.livekit.engine.readings import WHATS, readings
from dcl_comms_drivers.livekit._native import _events as events

requests, dropped = [], []
refuse = False

@ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p)
def request(data, length, answer, answer_length):
    if refuse:
        return 0
    found = ffi.FfiRequest()
    found.ParseFromString(ctypes.string_at(data, length))
    publish = found.publish_data
    requests.append((publish, ctypes.string_at(publish.data_ptr, publish.data_len)))
    return 99

@ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_uint64)
def drop(handle):
    dropped.append(handle)
    return handle != 13

def address(function):
    return ctypes.cast(function, ctypes.c_void_p).value

callback = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_size_t)(
    events.start(ffi.hot_numbers(), address(request), address(drop), readings(ffi.room_pb2.RoomEvent.DESCRIPTOR)))

def tell(event):
    data = event.SerializePartialToString()
    callback(data, len(data))

kept = []
def packet(room, data, *, sender="somebody", topic="", reliable=True, handle=7):
    buffer = ctypes.create_string_buffer(data, max(len(data), 1))
    kept.append(buffer)
    event = ffi.FfiEvent()
    event.room_event.room_handle = room
    got = event.room_event.data_packet_received
    got.kind = ffi.room_pb2.KIND_RELIABLE if reliable else ffi.room_pb2.KIND_LOSSY
    got.participant_identity = sender
    got.user.data.handle.id = handle
    got.user.data.data.data_ptr = ctypes.addressof(buffer)
    got.user.data.data.data_len = len(data)
    if topic:
        got.user.topic = topic
    return event

def answer(queue, token, error=""):
    event = ffi.FfiEvent()
    event.publish_data.async_id = queue.number << 40 | token
    if error:
        event.publish_data.error = error
    return event

def readable(fd):
    return bool(select.select([fd], [], [], 0)[0])
"""


# Each script needs a process, since the callback starts once in one; what takes long in it is importing.
NURSERY = """
import json, os, signal, sys, tempfile
from dcl_comms_drivers.livekit.engine import ffi
for line in sys.stdin:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        if os.fork() == 0:
            signal.alarm(50)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            exec(json.loads(line), {"__name__": "__main__"})
            sys.exit()
        code = os.waitstatus_to_exitcode(os.wait()[1])
        out.seek(0), err.seek(0)
        print(json.dumps([code, out.read().decode(), err.read().decode()]), flush=True)
"""


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[[str], str]]:
    """Run a script after ENGINE in a process of its own; gives what it printed."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        orders, answers = nursery.stdin, nursery.stdout

        def run(script: str) -> str:
            orders.write(json.dumps(ENGINE + textwrap.dedent(script)) + "\n")
            orders.flush()
            code, out, err = json.loads(answers.readline())
            assert (code, err) == (0, "")
            return out

        yield run
        orders.close()


@pytest.mark.skipif(not HAS_COMPILER, reason="no C compiler")
def test_the_native_callback_is_there_and_made_from_these_sources() -> None:
    assert not isinstance(FOUND, str), f"{FOUND}: run `make native`"
    assert BUILD["source_hash"](BUILD["CALLBACK"]) == FOUND.SOURCE_HASH, "older than its sources: run `make native`"


@needs_native
def test_what_comes_in(run: Callable[[str], str]) -> None:
    run("""
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    queue = events.Queue(1 << 20, fd)
    queue.attach(5)
    other = ffi.FfiEvent()
    other.room_event.room_handle = 5
    other.room_event.reconnecting.SetInParent()
    tell(packet(5, b"one", topic="t"))
    tell(packet(5, b"", sender="", reliable=False, handle=8))
    tell(other)
    tell(answer(queue, 3))
    tell(answer(queue, 4, "no"))
    assert os.eventfd_read(fd) == 1, "one wake for a burst"
    assert len(queue) == 5
    first = queue.take(2)
    assert first == [("somebody", b"one", True, "t"), (None, b"", False, "")], first
    event, token, failure = queue.take(9)
    assert (ffi.parse_event(event), token) == (other, 3)
    assert ffi.parse_event(failure) == answer(queue, 4, "no")
    assert queue.take(9) == [] and not readable(fd)
    assert dropped == [7, 8], "buffers are given back at once"
    tell(answer(queue, 5))
    assert readable(fd)
    assert events.refused_drops() == 0
    tell(packet(5, b"", handle=13))
    assert events.refused_drops() == 1
    """)


@needs_native
def test_what_is_not_for_a_queue_goes_to_python(run: Callable[[str], str]) -> None:
    run("""
    queue = events.Queue(1 << 20)
    queue.attach(5)
    foreign = [packet(6, b"x"), answer(queue, 1)]
    foreign[1].publish_data.async_id = 77
    logs = ffi.FfiEvent()
    logs.logs.SetInParent()
    for event in (*foreign, logs):
        tell(event)
    assert [ffi.parse_event(data) for data in events.wait()] == [*foreign, logs]
    # A queue without a descriptor has its number come here, once.
    tell(packet(5, b"x"))
    tell(packet(5, b"x"))
    assert events.wait() == [queue.number]
    assert [data for _, data, *_ in queue.take(9)] == [b"x", b"x"] and dropped == [7, 7]
    for garbage in (b"", b"\\xff", b"\\x0a\\x05\\x08", b"\\x0a\\x02\\x08\\x05\\x00", b"\\x0b"):
        callback(garbage, len(garbage))
    assert events.wait() == [b"", b"\\xff", b"\\x0a\\x05\\x08", b"\\x0a\\x02\\x08\\x05\\x00", b"\\x0b"]
    waiter = threading.Thread(target=lambda: print(events.wait()))
    waiter.start()
    events.stop()
    waiter.join(10)
    tell(packet(5, b"late"))
    tell(logs)
    assert len(queue) == 0 and events.wait() == []
    """)


@needs_native
def test_bytes_cut_anywhere_are_pythons_to_read(run: Callable[[str], str]) -> None:
    run("""
    queue = events.Queue(1 << 20)
    queue.attach(5)
    whole = packet(5, b"data", topic="topic").SerializeToString()
    for end in range(len(whole)):
        for junk in (b"", b"\\xff" * 12, bytes(12)):
            callback(whole[:end] + junk, end + len(junk))
    got = [item for item in queue.take(9999)]
    assert all(isinstance(item, bytes) for item in got), got
    assert dropped == []
    """)


@needs_native
def test_what_goes_out(run: Callable[[str], str]) -> None:
    run("""
    queue = events.Queue(1 << 20)
    assert queue.publish(3, b"hello", (), "", True, 1)
    assert queue.publish(1 << 50, b"x" * 3000, ("0xABC", "na\\u00efve" * 60), "topic", False, (1 << 40) - 1)
    (one, first), (two, second) = requests
    expected = ffi.FfiRequest().publish_data
    expected.local_participant_handle, expected.reliable = 3, True
    expected.data_ptr, expected.data_len = one.data_ptr, 5
    expected.request_async_id = queue.number << 40 | 1
    assert (one, first) == (expected, b"hello")
    assert (two.local_participant_handle, two.topic, two.reliable, second) == (1 << 50, "topic", False, b"x" * 3000)
    assert list(two.destination_identities) == ["0xABC", "na\\u00efve" * 60]
    assert two.request_async_id == queue.number << 40 | (1 << 40) - 1
    assert dropped == [99, 99]
    refuse = True
    assert not queue.publish(3, b"hello", (), "", True, 1)
    for bad in ((3, "text", (), "", True, 1), (3, b"", [], "", True, 1), (3, b"", (1,), "", True, 1),
                (3, b"", (), None, True, 1), (-1, b"", (), "", True, 1), (3, b"", (), "\\ud800", True, 1),
                (3, b"", (), "", True, 1 << 40), (3,)):
        try:
            queue.publish(*bad)
        except (TypeError, ValueError, OverflowError) as error:
            continue
        raise AssertionError(bad)
    assert len(requests) == 2
    """)


@needs_native
def test_beyond_the_limit_packets_are_dropped_counted_and_given_back(run: Callable[[str], str]) -> None:
    run("""
    queue = events.Queue(10_000)
    queue.attach(5)
    for number in range(20):
        tell(packet(5, bytes(1000), handle=100 + number))
    tell(answer(queue, 1))
    assert 5 < len(queue) < 11
    lost = queue.take_dropped()
    assert lost == 20 - (len(queue) - 1) and queue.take_dropped() == 0
    assert dropped == [100 + number for number in range(20)]
    assert queue.take(100)[-1] == 1, "acknowledgements are never dropped"
    tell(packet(5, bytes(1000)))
    assert len(queue) == 1
    """)


@needs_native
def test_what_nobody_reads_is_tallied_by_its_sender_and_let_go(run: Callable[[str], str]) -> None:
    run("""
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    queue = events.Queue(1 << 20, fd)
    queue.attach(5)
    def news(kind, sender="a", **more):
        event = ffi.FfiEvent()
        event.room_event.room_handle = 5
        getattr(event.room_event, kind).SetInParent()
        if sender:
            getattr(event.room_event, kind).participant_identity = sender
        return event
    chunk, other, chat, spoken = news("stream_chunk_received"), news("stream_chunk_received", "b"), news("chat_message"), news("transcription_received")
    chunk.room_event.stream_chunk_received.chunk.content = bytes(15_000)
    dtmf = packet(5, b"x", sender="b")
    dtmf.room_event.data_packet_received.sip_dtmf.code = 1
    for event in (chunk, chunk, other, chat, spoken, dtmf, news("stream_header_received"), news("stream_trailer_received")):
        tell(event)
    assert os.eventfd_read(fd) == 1, "one wake for a burst"
    assert len(queue) == 0
    told = {(WHATS[what], sender): (count, size) for what, sender, count, size in queue.take_foreign()}
    sizes = {key: size for key, (_, size) in told.items()}
    assert {key: count for key, (count, _) in told.items()} == {
        ("stream", "a"): 4, ("stream", "b"): 1, ("chat", "a"): 1, ("transcription", "a"): 1, ("dtmf", "b"): 1}
    assert 30_000 < sizes["stream", "a"] < 30_200 and 0 < sizes["dtmf", "b"] < 50
    assert queue.take_foreign() == [] and queue.take_dropped() == 0
    # What hands something over gives it back; what only repeats is not even tallied.
    for number, kind in enumerate(("byte_stream_opened", "text_stream_opened")):
        opened = news(kind)
        getattr(opened.room_event, kind).reader.handle.id = 50 + number
        tell(opened)
    tell(news("connection_quality_changed"))
    tell(news("participants_updated", ""))
    assert dropped == [50, 51]
    assert len(queue) == 0 and queue.take_foreign() == [] and not readable(fd)
    # However many senders there are, and however long their names.
    for number in range(1000):
        tell(news("stream_chunk_received", str(number)))
    tell(news("stream_chunk_received", "x" * 5000))
    told = queue.take_foreign()
    assert len(told) == 257
    assert [(count, sender) for _, sender, count, _ in told if count != 1] == [(745, None)]
    # A room that is over forgets them.
    tell(chunk)
    assert queue.close() == [] and queue.take_foreign() == []
    """)


@needs_native
def test_at_the_limit_only_what_can_be_done_without_is_lost(run: Callable[[str], str]) -> None:
    run("""
    queue = events.Queue(10_000)
    queue.attach(5)
    def news(kind, **fields):
        event = ffi.FfiEvent()
        event.room_event.room_handle = 5
        getattr(event.room_event, kind).SetInParent()
        for name, value in fields.items():
            setattr(getattr(event.room_event, kind), name, value)
        return event
    for number in range(100):
        tell(news("participant_metadata_changed", participant_identity="a", metadata="x" * 1000))
    assert 5 < len(queue) < 11
    assert queue.take_dropped() == 100 - len(queue)
    before = len(queue)
    for number in range(30):
        tell(news("track_unpublished", participant_identity="a", publication_sid="TR_" + "x" * 1000))
    assert len(queue) == before + 30 and queue.take_dropped() == 0
    tell(packet(5, b"x"))
    tell(news("active_speakers_changed"))
    assert len(queue) == before + 30 and queue.take_dropped() == 2 and dropped == [7]
    """)


@needs_native
def test_a_closed_queue_takes_nothing_and_gives_back_the_events(run: Callable[[str], str]) -> None:
    run("""
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    queue, other = events.Queue(1 << 20, fd), events.Queue(1 << 20)
    queue.attach(5)
    for bad in (lambda: queue.attach(6), lambda: other.attach(5), lambda: other.attach(0)):
        try:
            bad()
        except ValueError:
            continue
        raise AssertionError
    raw = ffi.FfiEvent()
    raw.room_event.room_handle = 5
    raw.room_event.reconnected.SetInParent()
    for event in (packet(5, b"x"), raw, answer(queue, 1)):
        tell(event)
    os.close(fd)
    reused = os.eventfd(0, os.EFD_NONBLOCK)
    assert reused == fd
    assert [ffi.parse_event(data) for data in queue.close()] == [raw]
    assert queue.close() == [] and len(queue) == 0
    tell(raw)
    tell(answer(queue, 2))
    assert len(events.wait()) == 2, "it is everybody's now"
    assert not readable(reused)
    other.attach(5)
    del queue
    tell(raw)
    assert len(other) == 1
    del other
    tell(raw)
    assert events.wait()
    """)


@needs_native
def test_a_burst_from_many_threads_is_whole_in_order_and_wakes_once(run: Callable[[str], str]) -> None:
    run("""
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    queues = [events.Queue(1 << 26, fd), events.Queue(1 << 26)]
    for room, queue in enumerate(queues, 5):
        queue.attach(room)
    COUNT, WRITERS = 2000, 4
    prepared = [
        [packet(5 + number % 2, b"%d %d" % (writer, number), handle=1).SerializeToString() for number in range(COUNT)]
        for writer in range(WRITERS)
    ]
    def write(mine):
        for data in mine:
            callback(data, len(data))
    def all_at_once():
        threads = [threading.Thread(target=write, args=(mine,)) for mine in prepared]
        for thread in threads:
            thread.start()
        return threads
    for thread in all_at_once():
        thread.join()
    assert os.eventfd_read(fd) == 1
    assert events.wait() == [queues[1].number]
    assert len(queues[0]) == len(queues[1]) == COUNT * WRITERS // 2
    threads, got = all_at_once(), []
    end = time.monotonic() + 40
    while len(got) < 2 * COUNT * WRITERS and time.monotonic() < end:
        for queue in queues:
            got += queue.take(100)
    for thread in threads:
        thread.join()
    for round in (0, 1):
        for writer in range(WRITERS):
            for half in (0, 1):
                mine = [int(number) for name, number in (item[1].split() for item in got)
                        if int(name) == writer and int(number) % 2 == half]
                assert mine == [*range(half, COUNT, 2)] * 2
    assert len(dropped) == 2 * COUNT * WRITERS
    """)


@needs_native
def test_a_full_general_queue_holds_the_engine_and_not_python(run: Callable[[str], str]) -> None:
    run("""
    logs = ffi.FfiEvent()
    logs.logs.records.add(level=0, target="", message="x" * 1_000_000)
    data = logs.SerializeToString()
    def write():
        for _ in range(40):
            callback(data, len(data))
    writer = threading.Thread(target=write)
    writer.start()
    writer.join(1.0)
    assert writer.is_alive(), "it waits for the reader"
    count = 0
    while count < 40:
        got = events.wait()
        assert len(got) < 20
        count += len(got)
    writer.join(10)
    assert not writer.is_alive()
    """)


@needs_native
def test_a_forked_child_takes_nothing_and_does_not_hang(run: Callable[[str], str]) -> None:
    run("""
    import warnings
    warnings.simplefilter("ignore")  # newer interpreters warn of forks with threads, which is the point here
    queue = events.Queue(1 << 26)
    queue.attach(5)
    data = packet(5, b"x").SerializeToString()
    stop = False
    def write():
        while not stop:
            callback(data, len(data))
            time.sleep(0)
    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            before = len(queue)
            callback(data, len(data))
            assert len(queue) == before and events.wait is not None
            queue.take(1)
            queue.close()
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    stop = True
    for writer in writers:
        writer.join()
    before = len(queue)
    callback(data, len(data))
    assert len(queue) == before + 1
    """)


@needs_native
def test_it_starts_once_and_only_with_every_number(run: Callable[[str], str]) -> None:
    run("""
    for arguments, problem in (((ffi.hot_numbers(), 1, 1, ()), RuntimeError), (({}, 1, 1, ()), RuntimeError),
                               ((1, 1, 1, ()), TypeError), (({}, 1, 1), TypeError)):
        try:
            events.start(*arguments)
        except problem:
            continue
        raise AssertionError(problem)
    """)
    script = (
        "from dcl_comms_drivers.livekit._native import _events as events\n"
        "try:\n    events.Queue(1).publish(1, b'', (), '', True, 1)\n"
        "except ValueError as error:\n    print(error)\n"
        "try:\n    events.start({'event_room': 1}, 1, 1, ())\n"
        "except ValueError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=50)
    assert done.stdout == "the engine was not started\nno number for event_publish\n", done.stderr


# -- chosen


def test_choose(monkeypatch: Any) -> None:
    found = object()
    for asked, answers in (("", (found, "")), ("native", (found, "")), ("ctypes", (None, "DCL_COMMS_CALLBACK=ctypes"))):
        monkeypatch.setenv("DCL_COMMS_CALLBACK", asked)
        assert choose(lambda: found) == answers
    monkeypatch.setenv("DCL_COMMS_CALLBACK", "")
    assert choose(lambda: "why") == (None, "why")
    monkeypatch.setenv("DCL_COMMS_CALLBACK", "native")
    with pytest.raises(EngineUnavailable, match="DCL_COMMS_CALLBACK=native, but: why"):
        choose(lambda: "why")
    monkeypatch.setenv("DCL_COMMS_CALLBACK", "fast")
    with pytest.raises(EngineUnavailable, match="can be native or ctypes"):
        choose(lambda: found)


def test_a_field_of_another_type_means_ctypes(monkeypatch: Any) -> None:
    monkeypatch.delenv("DCL_COMMS_CALLBACK", raising=False)
    monkeypatch.setitem(ffi.HOT, "data_sender", ("DataPacketReceived", "participant_identity", "BYTES"))
    assert ffi.choose_callback() == (None, "DataPacketReceived.participant_identity is no BYTES")


def test_the_choice_is_visible() -> None:
    engine = Engine.get()
    assert engine.callback in {"native", "ctypes"}
    assert (engine.why_ctypes == "") == (engine.callback == "native")
