"""What a message costs in dcl_comms_rtc alone: two peers in one process, no sockets, no loop.

    python benchmarks/webrtc/cost.py [--messages 20000]

Prints microseconds of CPU a message for the one who sends (with what acknowledges) and the one who receives, and how many
datagrams a message takes, by size and by how many are sent with one call.
"""

from __future__ import annotations

import argparse
import time

from dcl_comms_rtc import Peer

HOSTS = (("192.0.2.1", 5001), ("192.0.2.2", 5002))


class Pair:
    """Two peers whose datagrams arrive at once, in turns; counts the time in each."""

    def __init__(self):
        self.now = 0.0
        self.peers = [Peer(self.now, buffer_bytes=1_000_000) for _ in HOSTS]
        self.spent = [0.0, 0.0]
        self.datagrams = self.messages = 0
        for peer, host in zip(self.peers, HOSTS, strict=True):
            peer.add_local(host)
        a, b = self.peers
        offer, _ = a.offer([("reliable", True, None, None), ("lossy", False, 0, None)])
        a.accept_answer(b.accept_offer(offer))
        self.opened = 0
        while self.opened < 4:
            for place in (0, 1):
                self.turn(place, self.peers[place].handle_timeout(self.now))
            self.now += 0.05

    def turn(self, place, output):
        """Carry to and fro what came of a call, until nothing does."""
        self.opened += sum(kind == "open" for kind, _, _ in output[1])
        while output[0]:
            self.datagrams += len(output[0])
            place = 1 - place
            began = time.process_time()
            output = self.peers[place].receive([one for _, one in output[0]], HOSTS[1 - place], HOSTS[place], self.now)
            self.spent[place] += time.process_time() - began
            self.messages += sum(kind == "data" for kind, _, _ in output[1])
            self.opened += sum(kind == "open" for kind, _, _ in output[1])

    def run(self, channel, size, at_once, messages):
        self.spent, self.datagrams, self.messages = [0.0, 0.0], 0, 0
        batch, sent = [(channel, bytes(size))] * at_once, 0
        while sent < messages:
            self.now += 0.001
            began = time.process_time()
            some, output = self.peers[0].send(batch, self.now)
            self.spent[0] += time.process_time() - began
            sent += some
            self.turn(0, output)
            for place in (0, 1):
                if not some:
                    self.now += 0.05
                    self.turn(place, self.peers[place].handle_timeout(self.now))
        return [one / sent * 1e6 for one in self.spent], self.datagrams / sent, self.messages / sent


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=20_000)
    count = parser.parse_args().messages
    pair = Pair()
    print("channel   bytes  at once   send us   receive us   datagrams   arrived")
    for channel, name in enumerate(("reliable", "lossy")):
        for size in (60, 1_024, 14_336):
            for at_once in (1, 64):
                (send, receive), datagrams, arrived = pair.run(
                    channel, size, at_once, count if size < 2_000 else count // 10
                )
                print(f"{name:8} {size:6} {at_once:8} {send:9.2f} {receive:12.2f} {datagrams:11.2f} {arrived:9.2f}")


if __name__ == "__main__":
    main()
