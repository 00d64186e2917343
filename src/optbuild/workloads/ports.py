"""Free ports for servers that are about to be started."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import ExitStack


def choose_ports(names: Iterable[str]) -> dict[str, int]:
    """Let the system choose a free TCP port of the loopback interface for each name, all different.

    Nothing holds a port until the server binds to it. The system seldom gives out the same ephemeral port twice in a
    row, so another program is unlikely to take it meanwhile.
    """
    with ExitStack() as held:
        sockets = {name: held.enter_context(socket.socket()) for name in names}
        for each in sockets.values():
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in sockets.items()}
