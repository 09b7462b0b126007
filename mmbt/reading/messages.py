"""What the reading process and the process that it reads for say to each other.

Messages are JSON and raw numbers: what comes from a process that has decoded a stranger's file is
never unpickled.
"""
import json
import socket
import struct
import time
from dataclasses import fields
from typing import Any

import numpy as np

from .facts import VideoFacts

HEADER = struct.Struct('<II')  # bytes of JSON, and of raw numbers
Message = tuple[str, dict[str, Any], bytes]


class Line:
    """One end of a connection.

    Args:
        end: A connected stream socket.
    """

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self._read = b''

    def send(self, kind: str, raw: bytes = b'', **values: Any) -> None:
        """Send a message of a kind, with values that JSON has and raw numbers."""
        text = json.dumps([kind, values], default=_plain).encode(errors='surrogatepass')
        self.end.sendall(HEADER.pack(len(text), len(raw)) + text + raw)

    def receive(self, until: float | None = None) -> Message:
        """The next message: its kind, its values, and raw numbers.

        Args:
            until: When to stop waiting, as ``time.monotonic`` counts. Defaults to None: never.

        Raises:
            EOFError: If the other side has closed the connection, or is no more.
            OSError: The same; ``socket.timeout`` if there is no message in time.
        """
        text, raw = HEADER.unpack(self._take(HEADER.size, until))
        kind, values = json.loads(self._take(text, until).decode(errors='surrogatepass'))
        return kind, values, self._take(raw, until)

    def _take(self, count: int, until: float | None) -> bytes:
        while len(self._read) < count:
            self.end.settimeout(None if until is None else max(until - time.monotonic(), 1e-3))
            more = self.end.recv(max(2**16, count - len(self._read)))
            if not more:
                raise EOFError
            self._read += more
        taken, self._read = self._read[:count], self._read[count:]
        return taken

    def close(self) -> None:
        """Close the connection."""
        self.end.close()


def pack_facts(facts: VideoFacts) -> tuple[dict[str, Any], bytes]:
    """What is known of a video as the values and raw numbers of a message."""
    values = {field.name: getattr(facts, field.name) for field in fields(facts)
              if field.name != 'times'}
    return values, np.ascontiguousarray(facts.times, np.float64).tobytes()


def unpack_facts(values: dict[str, Any], raw: bytes) -> VideoFacts:
    """The opposite of :func:`pack_facts`."""
    return VideoFacts(**dict(values, times=np.frombuffer(raw, np.float64),
                             notes=tuple(values['notes'])))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
