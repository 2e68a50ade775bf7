"""How a page comes in, and who does not: the file that the browser is told to open, other sites, other names of this machine."""

from __future__ import annotations

import stat
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
OPENER = """#!{python}
import pathlib, sys
pathlib.Path({told!r}).write_text(sys.argv[1])
"""
# What another site may try, with the link's own token in its hands.
ATTACK = """
async (place) => {
  const got = {};
  const [url, token] = place.split("#token=");
  got.read = await fetch(url).then((answer) => `read ${answer.status}`, () => "refused");
  got.blind = await fetch(url, { mode: "no-cors" }).then((answer) => answer.type, () => "refused");
  got.socket = await new Promise((told) => {
    const socket = new WebSocket(url.replace("http", "ws") + "ws", ["dcl-station.1", "token." + token]);
    socket.onopen = () => told("open");
    socket.onclose = (close) => told(`closed ${close.code}`);
  });
  got.frame = await new Promise((told) => {
    const frame = document.createElement("iframe");
    frame.src = url;
    frame.onload = () => { try { told(frame.contentDocument?.body.innerText ?? "hidden"); } catch { told("hidden"); } };
    document.body.append(frame);
  });
  return got;
}
"""


@pytest.fixture
def other_site():
    """Another site on this machine; its port."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>a site</title><body>")

        def log_message(self, *_):
            """It tells nobody."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_by_the_file_that_the_browser_is_told_to_open(start_process, visit, expect, tmp_path):
    told, opener = tmp_path / "told", tmp_path / "opener"
    opener.write_text(OPENER.format(python=sys.executable, told=str(told)), encoding="utf-8")
    opener.chmod(0o700)
    process = start_process("station", "--recordings", str(tmp_path), env={"BROWSER": f"{opener} %s"})
    place, _, token = process.stdout.readline().strip().partition("#token=")
    assert token
    limit = time.monotonic() + 40
    while not (told.exists() and told.read_text()):
        assert time.monotonic() < limit
        time.sleep(0.02)
    url = told.read_text()
    door = Path(url2pathname(urlsplit(url).path))
    assert token not in url
    assert token in door.read_text(encoding="utf-8")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (door, door.parent)] == [0o600, 0o700]
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = command.read_bytes()
        except OSError:  # it has ended
            continue
        assert token.encode() not in said

    page = visit(url, place=place)
    expect(page.locator(".pill")).to_have_text("connected")
    assert page.url == place
    # Who came through it closed it.
    assert not door.parent.exists()


def test_another_site_gets_nothing(station, launch, other_site):
    from playwright.sync_api import Error as PlaywrightError

    # To it every such name is this machine.
    browser = launch("--host-resolver-rules=MAP *.example 127.0.0.1")
    served = station("--bots", "0")
    port = urlsplit(served.place).port
    page = browser.new_page()
    page.goto(f"http://evil.example:{other_site}/")
    got = page.evaluate(ATTACK, served.url)
    assert got == {"read": "refused", "blind": "refused", "socket": "closed 1006", "frame": "hidden"}

    # A name that was made to lead here is another Host: it is said nothing, and a socket to it is refused, too.
    answers, named = [], browser.new_page()
    named.on(
        "response", lambda answer: answers.append((answer.url, answer.status, answer.headers.get("content-length")))
    )
    rebound = f"http://evil.example:{port}/"
    with pytest.raises(PlaywrightError, match="ERR_HTTP_RESPONSE_CODE_FAILURE"):
        named.goto(rebound)
    assert answers == [(rebound, 403, "0")]
    got = page.evaluate(ATTACK, rebound + served.url.removeprefix(served.place))
    assert (got["read"], got["socket"], got["frame"]) == ("refused", "closed 1006", "hidden")
