"""The preview server that creators of scenes run, from npm, and a client on Decentraland's own JavaScript beside it.

It listens on loopback only, tells nobody that it was started, and ends with this process.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from rigs.drivers.sdk_peer import SdkPeer
from rigs.interop.npm import installed, node

HERE = Path(__file__).parent
NODE = 22
"""The least major version that the server takes."""


class PreviewPeer(SdkPeer):
    """Reports ``connected``, ``joined``, ``left`` and ``packet``, as @dcl/protocol reads it."""

    def __init__(self, url):
        self.run([node(NODE), str(HERE / "preview_peer.js"), str(installed("preview"))])
        self.tell("connect", url=url)

    def send(self, packet, *, reliable=True):
        self.tell("send", packet=packet, reliable=reliable)


@contextmanager
def preview(folder):
    """The URL of a preview of a scene of one parcel in this folder."""
    package = installed("preview") / "node_modules" / "@dcl" / "sdk-commands"
    scene = folder / "scene"
    (scene / "bin").mkdir(parents=True)
    (scene / "bin" / "index.js").write_text("// nothing\n")
    (scene / "package.json").write_text(json.dumps({"name": "scene"}))
    (scene / "scene.json").write_text(
        json.dumps(
            {"ecs7": True, "runtimeVersion": "7", "main": "bin/index.js", "scene": {"parcels": ["0,0"], "base": "0,0"}}
        )
    )
    flags = ["--dir", str(scene), "--port", "1", "--skip-build", "--no-watch", "--no-browser", "--no-client"]
    quiet = {"DCL_DISABLE_ANALYTICS": "true", "NO_COLOR": "1", "HOME": str(folder), "CI": "true"}
    # The environment has the last word about the address: any free port, which --port can't say.
    address = {"HTTP_SERVER_HOST": "127.0.0.1", "HTTP_SERVER_PORT": "0"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [node(NODE), "--require", str(HERE / "ends_with_input.js"), str(package / "dist" / "index.js"), "start", *flags],
            env={"PATH": os.environ["PATH"], **quiet, **address}, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{_port(process, folder / 'log')}"
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(process, log):
    """On which port of loopback it listens, once it does."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        for inode in _sockets(process.pid):
            for line in Path(f"/proc/{process.pid}/net/tcp").read_text().splitlines()[1:]:
                fields = line.split()
                # Its own, in the state LISTEN.
                if fields[9] == inode and fields[3] == "0A":
                    assert fields[1].startswith("0100007F:"), fields
                    return int(fields[1].partition(":")[2], 16)
        time.sleep(0.05)
    raise AssertionError(f"the preview server does not listen: {log.read_text()}")


def _sockets(pid):
    for name in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", str(name.readlink()))
        except FileNotFoundError:
            continue
        if found:
            yield found[1]


def told(url):
    """What it says at a path."""
    with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - of loopback
        return json.load(answer)
