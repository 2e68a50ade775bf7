"""The other party: a page on livekit-client in headless Chromium, driven by JSON lines.

Run as a script it serves the page, starts the browser and carries lines between it and standard input and output;
imported, ``BrowserPeer`` starts one and talks to it.  Without Chromium a test skips, or fails where REQUIRE_BROWSER=1.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import json
import os
import shutil
import sys
import tempfile
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from rigs.drivers.sdk_peer import SdkPeer, say

PAGE = Path(__file__).with_name("browser_page.html")


class BrowserPeer(SdkPeer):
    script = __file__

    def __init__(self, url, token, *, browser, library):
        self.start(browser, library)
        self.tell("connect", url=url, token=token)

    def sounds(self, identity):
        """What the page heard of somebody so far: stretches of 16,384 samples at 48 kHz, between -1 and 1."""
        import numpy as np

        return [
            np.frombuffer(base64.b64decode(report["samples"]), dtype=np.float32)
            for report in self.seen
            if report["event"] == "sound" and report["identity"] == identity
        ]


def chromium():
    """Where Chromium is, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


FLAGS = [
    "--headless=new",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    # Nothing but this machine's loopback: no look-ups, no updates, no proxies.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    # WebRTC over loopback, with addresses as they are.
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    # A page that nobody looks at or clicks makes sounds all the same, and on time.
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
]


@asynccontextmanager
async def started(browser, url, folder):
    """The browser with this page; it ends when the pipe of its debugger does, so also when this process is killed."""
    (orders, ours_out), (ours_in, answers) = os.pipe(), os.pipe()
    # The debugger's pipe is descriptor 3 and 4, whatever numbers ours have.
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (orders, answers)]
    process = await asyncio.create_subprocess_exec(
        browser, *FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else []),
        f"--user-data-dir={folder}", "--remote-debugging-pipe", url,
        preexec_fn=lambda: [os.dup2(end, number) for number, end in enumerate(theirs, 3)], pass_fds=(3, 4),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    for end in (orders, answers, *theirs):
        os.close(end)
    try:
        yield process
    finally:
        os.close(ours_out)
        os.close(ours_in)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def main(browser, library):
    from websockets.asyncio.server import serve
    from websockets.datastructures import Headers
    from websockets.http11 import Response

    files = {"/": (PAGE, "text/html"), "/livekit-client.umd.js": (Path(library), "text/javascript")}

    def answer(_connection, request):
        if request.path == "/control":
            return None
        path, kind = files.get(request.path, (None, None))
        if path is None:
            return Response(404, "Not Found", Headers({"Content-Length": "0"}))
        body = path.read_bytes()
        return Response(200, "OK", Headers({"Content-Type": kind, "Content-Length": str(len(body))}), body)

    orders = asyncio.Queue()
    gone = asyncio.Event()
    there = False

    async def read_orders():
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            orders.put_nowait(line.decode())
        gone.set()

    async def control(socket):
        nonlocal there
        there = True

        async def hand_on():
            while True:
                await socket.send(await orders.get())

        with running(hand_on()):
            async for line in socket:
                say(**json.loads(line))
        gone.set()

    async def complain(process):
        """What the browser says before the page is there; after that it is read and forgotten."""
        async for line in process.stderr:
            if not there:
                say("browser", text=line.decode(errors="replace").strip())
        gone.set()

    async with serve(control, "127.0.0.1", 0, process_request=answer, compression=None, max_size=2**20) as server:
        (port,) = {socket.getsockname()[1] for socket in server.sockets}
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            async with started(browser, f"http://127.0.0.1:{port}/", folder) as process:
                with running(read_orders(), complain(process)):
                    await gone.wait()


@contextmanager
def running(*coroutines):
    """These, until the block is left."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
