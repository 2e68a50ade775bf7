"""Offers and answers as the peer and as browsers read them."""

from __future__ import annotations

from dcl_comms_core.servers.livekit.descriptions import longest_message, name_of, of_data, told

HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\na=group:BUNDLE 0 1 2 3\r\n"
AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=mid:0\r\na=recvonly\r\na=rtpmap:111 opus/48000/2\r\n"
PLAIN = "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:1\r\na=bundle-only\r\na=recvonly\r\n"
STOPPED = "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\na=inactive\r\n"
DATA = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:3\r\na=max-message-size:262144\r\n"
LINE = "a=candidate:1 1 udp 2130706175 127.0.0.1 7882 typ host\r\n"
WAY = "a=ice-ufrag:name\r\na=ice-pwd:secret\r\na=ice-options:trickle\r\na=fingerprint:sha-256 AA\r\na=setup:passive\r\n"
ANSWER = (
    "v=0\r\na=group:BUNDLE 3\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    f"c=IN IP4 0.0.0.0\r\n{LINE}{WAY}a=mid:3\r\n"
)


def test_the_peer_is_told_of_data_alone():
    assert of_data(HEAD + AUDIO + PLAIN + STOPPED + DATA + LINE) == HEAD.replace("0 1 2 3", "3") + DATA


def test_what_can_not_be_answered():
    assert of_data("") is None
    assert of_data(HEAD + AUDIO) is None
    assert of_data(HEAD + "m=application 9 X y\r\n") is None
    assert of_data(HEAD + "m=audio\r\n" + DATA) is None
    assert of_data(HEAD + AUDIO * 64 + DATA) is None
    assert of_data(HEAD + AUDIO * 63 + DATA) is not None


def test_others_read_idle_sections_and_candidates_in_the_first():
    assert told(ANSWER, HEAD + AUDIO + PLAIN + STOPPED + DATA) == (
        "v=0\r\na=group:BUNDLE 0 1 3\r\n"
        f"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n{WAY}a=mid:0\r\na=rtcp-mux\r\n"
        f"a=rtpmap:111 opus/48000/2\r\na=inactive\r\n{LINE}"
        f"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\n{WAY}a=mid:1\r\na=rtcp-mux\r\na=inactive\r\n"
        "m=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=inactive\r\n"
        f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n{WAY}a=mid:3\r\n"
    )


def test_an_answer_to_data_alone_stays_as_it_is():
    told_so = told(ANSWER, HEAD + DATA)
    assert sorted(told_so.splitlines()) == sorted(ANSWER.splitlines())


def test_names_and_lengths():
    assert name_of(ANSWER) == "name"
    assert name_of(HEAD) == ""
    assert longest_message(DATA) == 262_144
    assert longest_message(HEAD) == 65_536
    assert longest_message("a=max-message-size:0\r\n") == 65_536
