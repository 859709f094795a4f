"""Which real loopback port plays which simulated address and port, and which connections are the machine's own."""

from __future__ import annotations

import socket
import weakref
from collections.abc import Iterable


class PortMap:
    """Simulated ``(ip, port)`` to the real loopback port that plays it. ``*`` stands for every address of the machine.

    The machine's own connections are told by their source port, taken before they connect: a slot refuses every other
    one, as loopback on a real machine would (design.md 9).
    """

    def __init__(self) -> None:
        self._real: dict[tuple[str, int], int] = {}
        self._own: dict[int, weakref.ref[socket.socket]] = {}
        self._others: dict[int, socket.socket] = {}

    def put(self, ip: str, port: int, real: int) -> None:
        """This real port plays that place from now on."""
        self._real[(ip or "*", port)] = real

    def drop(self, ip: str, port: int) -> None:
        """Nothing plays that place any more."""
        self._real.pop((ip or "*", port), None)

    def real(self, ip: str, port: int) -> int | None:
        """The real port behind a simulated place, None when nothing listens there."""
        return self._real.get((ip, port)) or self._real.get(("*", port))

    def places(self) -> Iterable[tuple[str, int, int]]:
        """Every (ip, port, real port), sorted."""
        return sorted((ip, port, real) for (ip, port), real in self._real.items())

    def occupy(self, port: int) -> socket.socket:
        """Another program of the machine, outside IIS, listens on this simulated port: a real socket on a real port
        plays it until it is closed."""
        made = socket.create_server(("127.0.0.1", 0))
        self.put("*", port, made.getsockname()[1])
        self._others[port] = made
        return made

    def listening(self) -> set[int]:
        """The simulated ports on which programs outside IIS listen now."""
        for port in [port for port, one in self._others.items() if one.fileno() == -1]:
            del self._others[port]
            self.drop("*", port)
        return set(self._others)

    def own_socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, proto: int = 0) -> socket.socket:
        """A socket of the machine's own: bound to a loopback port that slots will know while it is open. Not
        blocking."""
        made = socket.socket(family, kind, proto)
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        self._own[made.getsockname()[1]] = weakref.ref(made)
        return made

    def is_own(self, source_port: int) -> bool:
        """Whether a connection from this source port is the machine's own, and still open."""
        found = self._own.get(source_port)
        made = found() if found is not None else None
        if made is None or made.fileno() == -1:
            self._own.pop(source_port, None)
            return False
        return True
