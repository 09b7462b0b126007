"""What the reading process and the process that it reads for say to each other.

The answers are JSON and raw numbers: what comes from a process that has decoded a stranger's file
is never unpickled.
"""
import json
from dataclasses import fields
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from .facts import VideoFacts


def send(connection: Connection, kind: str, **values: Any) -> None:
    """Send a message of a kind, with values that JSON has."""
    connection.send_bytes(json.dumps([kind, values], default=_plain).encode(errors='surrogatepass'))


def receive(connection: Connection) -> tuple[str, dict[str, Any]]:
    """The next message: its kind and its values.

    Raises:
        EOFError: If the other side has closed the connection, or is no more.
    """
    kind, values = json.loads(connection.recv_bytes().decode(errors='surrogatepass'))
    return kind, values


def send_facts(connection: Connection, kind: str, facts: VideoFacts) -> None:
    """Send what is known of a video."""
    send(connection, kind, **{field.name: getattr(facts, field.name) for field in fields(facts)
                              if field.name != 'times'})
    connection.send_bytes(np.ascontiguousarray(facts.times, np.float64).tobytes())


def receive_facts(connection: Connection, values: dict[str, Any]) -> VideoFacts:
    """What is known of a video, of which ``values`` came with the message before."""
    times = np.frombuffer(connection.recv_bytes(), np.float64)
    return VideoFacts(**dict(values, times=times, notes=tuple(values['notes'])))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
