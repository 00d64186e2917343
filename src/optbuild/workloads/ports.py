"""Free ports for servers that are about to be started."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import ExitStack


def choose_ports(names: Iterable[str]) -> dict[str, int]:
    """Let the system choose a free TCP port of the loopback interface for each name, no two the same.

    Nothing holds a port until the server binds to it. The system hands its ephemeral ports out in an order of its own
    and seldom the same one twice in a row, so that another program is unlikely to take it meanwhile.
    """
    with ExitStack() as held:
        sockets = {name: held.enter_context(socket.socket()) for name in names}
        for each in sockets.values():
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in sockets.items()}
