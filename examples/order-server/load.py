#!/usr/bin/env python3
"""Send a fixed number of requests to order-server, and print what its answers were.

Usage: load.py PORT KIND REQUESTS

KIND is `retail` (many small orders), `wholesale` (few large ones) or `mixed`. The requests are the same in every run.
They are sent over two connections, some at a time, so that the load costs far less than the server's work.
"""

from __future__ import annotations

import hashlib
import json
import random
import socket
import sys
import threading

# Per kind: a seed, customers, orders in a request, lines in an order.
KINDS = {"retail": (1, 400, 40, 2), "wholesale": (2, 12, 6, 60), "mixed": (3, 90, 16, 9)}
CONNECTIONS = 2
TOGETHER = 16
VARIETY = 64


def make_requests(kind: str) -> list[bytes]:
    """Some different requests, which are then sent over and over."""
    seed, customers, orders, lines = KINDS[kind]
    chance = random.Random(seed)

    def line() -> dict[str, object]:
        article = f"article {int(chance.random() * 5000)}"
        return {"article": article, "quantity": 1 + int(chance.random() * 9), "cents": int(chance.random() * 20000)}

    def request() -> bytes:
        body = json.dumps(
            [
                {"customer": f"Kundin {int(chance.random() * customers)}", "lines": [line() for _ in range(lines)]}
                for _ in range(orders)
            ]
        ).encode()
        return b"POST /totals HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    return [request() for _ in range(VARIETY)]


def read_answer(stream: object) -> bytes:
    """The status line and the body of one answer."""
    status = stream.readline()
    length = 0
    while (header := stream.readline()) not in (b"\r\n", b""):
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status + stream.read(length)


def converse(port: int, requests: list[bytes], count: int, digests: list[str], number: int) -> None:
    """Send so many requests over one connection."""
    digest = hashlib.sha256()
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as stream:
        for begin in range(0, count, TOGETHER):
            batch = [requests[index % VARIETY] for index in range(begin, min(begin + TOGETHER, count))]
            connection.sendall(b"".join(batch))
            for _ in batch:
                digest.update(read_answer(stream))
    digests[number] = digest.hexdigest()


def main() -> None:
    """Send them all; the answers' digest is what variants are compared by."""
    port, kind, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    requests = make_requests(kind)
    digests = [""] * CONNECTIONS
    threads = [
        threading.Thread(target=converse, args=(port, requests, count // CONNECTIONS, digests, number))
        for number in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not all(digests):
        sys.exit("a connection got no answer")
    print(kind, count, *digests)


if __name__ == "__main__":
    main()
