from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from optbuild.workloads.ports import choose_ports
from optbuild.workloads.readiness import ReadyKind, check_ready_value, is_ready


def ask(kind: ReadyKind, value: str, directory: Path) -> bool:
    """Ask once, with the server's output in a directory."""
    return is_ready(kind, value, stdout=directory / "out", stderr=directory / "err")


def test_a_port_is_ready_when_it_takes_connections(tmp_path: Path) -> None:
    """With and without the name of a host."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ask(ReadyKind.TCP, str(port), tmp_path)
        assert ask(ReadyKind.TCP, f"localhost:{port}", tmp_path)
    assert not ask(ReadyKind.TCP, str(port), tmp_path)


class Answering(BaseHTTPRequestHandler):
    """A server whose status stands in the path."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.rpartition("=")[2]))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


@pytest.fixture
def http_port() -> Iterator[int]:
    """Where `Answering` listens."""
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "ready"), [(200, True), (204, True), (302, True), (404, False), (503, False)])
def test_a_url_is_ready_when_it_is_answered_well(http_port: int, tmp_path: Path, status: int, ready: bool) -> None:  # noqa: FBT001
    """A server that is still loading says 503."""
    assert ask(ReadyKind.HTTP, f"http://127.0.0.1:{http_port}/health?status={status}", tmp_path) is ready


def test_nobody_at_a_url_is_not_ready(tmp_path: Path) -> None:
    """Nor is somebody who does not speak HTTP."""
    assert not ask(ReadyKind.HTTP, f"http://127.0.0.1:{choose_ports([''])['']}/", tmp_path)


def test_a_text_is_ready_when_it_was_printed(tmp_path: Path) -> None:
    """Each stream for itself; a file that is not there yet holds nothing."""
    assert not ask(ReadyKind.STDOUT, "listening", tmp_path)
    (tmp_path / "out").write_text("starting\nlistening on 80\n")
    assert ask(ReadyKind.STDOUT, "listening", tmp_path)
    assert not ask(ReadyKind.STDERR, "listening", tmp_path)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (ReadyKind.TCP, ("80", "localhost:8080", "[::1]:80"), ("http", "0", "70000", "host:", "")),
        (ReadyKind.HTTP, ("http://127.0.0.1:80/x", "http://localhost"), ("https://localhost", "localhost:80", "")),
        (ReadyKind.STDOUT, ("ready",), ("",)),
    ],
)
def test_what_cannot_be_asked_is_known_before(kind: ReadyKind, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    """Nothing is built for a server whose readiness could never be seen."""
    assert [check_ready_value(kind, value) for value in good] == [None] * len(good)
    assert all(check_ready_value(kind, value) for value in bad)


def test_ports_are_free_and_differ() -> None:
    """Two servers of one workload get one each, and can bind to it at once."""
    ports = choose_ports(["", "admin"])
    assert len({*ports.values()}) == 2
    for port in ports.values():
        with socket.create_server(("127.0.0.1", port)):
            pass
