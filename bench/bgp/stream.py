"""A client's stream: a datagram each millisecond from one port to one address; says who answered and the longest silence.

  stream.py ADDRESS PORT      one line when the first answer comes, one with the result when its input ends
  stream.py --echo ADDRESS PORT NAME      the server
"""

import json
import select
import socket
import sys
import time

INTERVAL = 0.001


def echo(address, port, name):
    """Answers every datagram with its bytes and our name."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, port))
    while True:
        data, client = server.recvfrom(100)
        server.sendto(data + b" " + name.encode(), client)


class Client:
    """One flow."""

    def __init__(self, address, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((address, port))
        self.sent, self.answers = 0, {}
        self.last, self.gap = None, 0.0

    def _take(self):
        try:
            name = self.socket.recv(100).split()[1].decode()
        except OSError:  # an ICMP error of a router on the way
            return
        moment = time.monotonic()
        if self.last is None:
            print(json.dumps({"first": name}), flush=True)
        else:
            self.gap = max(self.gap, moment - self.last)
        self.last = moment
        self.answers[name] = self.answers.get(name, 0) + 1

    def _send(self):
        try:
            self.socket.send(b"%d" % self.sent)
        except OSError:
            pass
        self.sent += 1

    def run(self):
        """Until the input ends."""
        due = time.monotonic()
        while True:
            ready = select.select([self.socket, sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]
            if sys.stdin in ready:
                break
            if self.socket in ready:
                self._take()
            if time.monotonic() >= due:
                self._send()
                due += INTERVAL
        time.sleep(0.05)
        while select.select([self.socket], [], [], 0)[0]:
            self._take()
        print(json.dumps({"sent": self.sent, "answers": self.answers, "gap_ms": self.gap * 1e3}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--echo":
        echo(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    Client(sys.argv[1], int(sys.argv[2])).run()
