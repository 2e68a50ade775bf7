"""Heads of HTTP answers that mean harm: pieces at random of what a head is made of, and of what it must not hold."""

from __future__ import annotations

import random

LOCATIONS = (
    *(b"javascript:alert(1)", b"data:,x", b"xn--:aaa", b"mailto:x", b"file:///etc/passwd", b"ftp://x/", b"about:blank"),
    *(
        b"http://[",
        b"http://[::1",
        b"http://[v1.x]/",
        b"http://[::1%25lo]/",
        b"//",
        b"///",
        b"\\\\127.0.0.1\\x",
        b"http:",
    ),
    *(
        b"http://127.0.0.1:99999/",
        b"http://127.0.0.1:x/",
        b"http://127.0.0.1:-1/",
        b"http://127.0.0.1:/",
        b"http://:80/",
    ),
    *(
        b"http://user:pw@127.0.0.1/",
        b"http://a b/",
        b"http://\xff/",
        b"http://\xc3\xa9/",
        b"http://%00/",
        b"http://x%zz/",
    ),
    *(
        b"http://" + b"a" * 64 + b".example/",
        b"http://" + b"a." * 150 + b"/",
        b"http://" + b"x" * 70_000,
        b"/" + b"y" * 70_000,
    ),
    *(
        b"http://xn--a/",
        b"http://xn--/",
        "http://⑴⒛/".encode(),
        "http://a\u3002b/".encode(),
        "http://\u202ex/".encode(),
    ),
    *(b"http://0x7f.1/", b"http://0177.0.0.1/", b"http://2130706433/", b"http://127.0.0.1.:80/", b"http://0.0.0.0/"),
    *(b"", b" ", b"?", b"#", b"%", b"%zz", b"..", b"/\x7f", b"/\x80", b"\t", b'"<>{|}^`', b";,", b"?\xed\xa0\x80"),
)
_VALUES = (
    *(
        b"",
        b" ",
        b"\t",
        b"\x00",
        b"\x7f",
        b"\x80\xff",
        b"\r",
        "é\u202e".encode(),
        b"\xed\xa0\x80",
        b"a" * 300,
        b"x" * 70_000,
    ),
    *(
        b"-1",
        b"0",
        b"5",
        b"+5",
        b"5, 5",
        b"5,6",
        b"9" * 30,
        b"9" * 5_000,
        b"1e999",
        b"nan",
        b"0x5",
        b"\xb2",
        "٣".encode(),
    ),
    *(b"chunked", b"gzip", b"x-gzip", b"br", b"gzip, gzip", b"identity", b"close", b"upgrade", b"h2c", b"websocket"),
    *(
        b"Thu, 32 Foo 99999 99:99:99 GMT",
        b"Thu, 01 Jan 1970 00:00:00 GMT",
        b"bytes 0-0/0",
        b"text/html; charset=\xff",
        b'";,=',
    ),
    *LOCATIONS,
)
_NAMES = (
    *(b"Location", b"Content-Length", b"Transfer-Encoding", b"Content-Encoding", b"Connection", b"Upgrade", b"Trailer"),
    *(
        b"Content-Type",
        b"Date",
        b"Retry-After",
        b"Set-Cookie",
        b"WWW-Authenticate",
        b"Refresh",
        b"Link",
        b"Alt-Svc",
        b"X",
    ),
    *(b"Sec-WebSocket-Accept", b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions", b"Content-Range", b"X" * 1_000),
)
_ODD_NAMES = (b"", b" ", b"X B", b"\xff", b"(", b"Content-Length ", b":", b"HTTP/1.1")
_STATUSES = (200, 201, 204, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 426, 429, 500, 503, 999)
_ODD_STATUSES = (b"100", b"101", b"103", b"000", b"99", b"1000", b"-1", b"2x0", b"", b"\xff")
_VERSIONS = (b"HTTP/1.0", b"HTTP/2", b"HTTP/1.9", b"http/1.1", b"ICY", b"", b"\x16\x03\x01", b"HTTP/1.1 ")
_BODIES = (
    b"",
    b"{}",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"zz\r\n",
    b"f" * 16 + b"\r\n",
    b"0\r\nA: \xff\r\n\r\n",
    b"\x1f\x8b\x08",
    b"x" * 999,
)


def heads(seed, count):
    """So many answers, most of them right but for one or two things."""
    dice = random.Random(seed)

    def sometimes(chance, odd, usual):
        return dice.choice(odd) if dice.random() < chance else usual

    for _ in range(count):
        status = str(dice.choice(_STATUSES)).encode()
        lines = [
            sometimes(0.05, _VERSIONS, b"HTTP/1.1")
            + b" "
            + sometimes(0.1, _ODD_STATUSES, status)
            + sometimes(0.1, (b"", b" ", b" \xff\xfe", b" " + b"r" * 3_000), b" X")
        ]
        for _ in range(dice.randrange(4)):
            name, value = dice.choice(_NAMES), dice.choice(_VALUES)
            value = dice.choice(LOCATIONS) + sometimes(0.3, LOCATIONS, b"") if name == b"Location" else value
            lines.append(sometimes(0.03, _ODD_NAMES, name) + sometimes(0.03, (b":", b" : ", b""), b": ") + value)
        end = sometimes(0.05, (b"\n", b"\r", b"\r\n "), b"\r\n")
        page = end.join(lines) + b"\r\n\r\n" + dice.choice(_BODIES)
        yield sometimes(0.03, (page[: dice.randrange(len(page))], dice.randbytes(99)), page)
