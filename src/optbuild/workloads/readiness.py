"""Check whether a server that was just started accepts requests; the caller repeats the check."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

_PROBE_TIMEOUT_S = 1.0
_HIGHEST_PORT = 65_535
_FIRST_REFUSAL = 400  # the lowest HTTP status of an error


class ReadyKind(StrEnum):
    """How a server shows that it is ready."""

    TCP = "tcp"
    HTTP = "http"
    STDOUT = "stdout"
    STDERR = "stderr"


def is_ready(kind: ReadyKind, value: str, *, stdout: Path, stderr: Path) -> bool:
    """Check once.

    Args:
        kind: What to check.
        value: `PORT` or `HOST:PORT`, a URL, or a text that the server prints.
        stdout: The file that holds its standard output.
        stderr: The same for standard error.
    """
    ask: dict[ReadyKind, Callable[[], bool]] = {
        ReadyKind.TCP: lambda: _accepts(value),
        ReadyKind.HTTP: lambda: _answers(value),
        ReadyKind.STDOUT: lambda: _has_printed(stdout, value),
        ReadyKind.STDERR: lambda: _has_printed(stderr, value),
    }
    return ask[kind]()


def check_ready_value(kind: ReadyKind, value: str) -> str | None:
    """What is wrong with a value whose placeholders are filled; None if nothing is."""
    if kind is ReadyKind.TCP:
        _, port = split_address(value)
        return None if port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT else "expected PORT or HOST:PORT"
    if kind is ReadyKind.HTTP:
        parts = urlsplit(value)
        return None if parts.scheme == "http" and parts.hostname else "expected a URL that begins with http://"
    return None if value else "expected a text that the server prints"


def split_address(value: str) -> tuple[str, str]:
    """The host and port of `PORT` or `HOST:PORT`; without a host it is the loopback interface's."""
    host, _, port = value.rpartition(":")
    return host.strip("[]") or "127.0.0.1", port


def _accepts(value: str) -> bool:
    host, port = split_address(value)
    try:
        socket.create_connection((host, int(port)), timeout=_PROBE_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _answers(url: str) -> bool:
    """Whether a GET is answered with success or a redirection; no proxy is used."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        return connection.getresponse().status < _FIRST_REFUSAL
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _has_printed(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except FileNotFoundError:
        return False
