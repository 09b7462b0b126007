"""Who may ask: a password, requests of this very page, bodies of a bounded size."""
import asyncio
import base64
import binascii
import hmac
import json
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = ('localhost', '127.0.0.1', '[::1]')
BODY = 2**20  # bytes of a request that uploads nothing
UPLOAD = '/gradio_api/upload'
KEPT = 8  # uploads of the largest size
WRONG = 0.5  # seconds that the answer to a wrong password takes


class Guard:
    """An ASGI application that lets through what may be asked of another.

    - With a password, each request has to bring it: as HTTP Basic, whatever the name, or as Bearer.
    - With ``hosts``, the page is reached by these names alone, so that a page elsewhere cannot
      reach it by a name of its own that leads to the loopback address.
    - A request that a page elsewhere makes is refused.
    - A body may be 1 MiB, an upload ``upload_bytes``, and all uploads together eight times that.

    Args:
        app: The other.
        password: None: none is asked for.
        hosts: The names. None: any.
        upload_bytes: Of an upload.
        uploads: The folder where they are kept.
    """

    def __init__(self, app: Any, password: str | None = None,
                 hosts: Sequence[str] | None = LOOPBACK, upload_bytes: int = 512 * 2**20,
                 uploads: str | os.PathLike | None = None) -> None:
        self.app, self.password = app, password
        self.upload_bytes, self.uploads = upload_bytes, uploads
        self.hosts = None if hosts is None else frozenset(hosts)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer or pass on, as ASGI has it."""
        if scope['type'] == 'lifespan':
            await self.app(scope, receive, send)
            return
        if scope['type'] != 'http':  # nothing here speaks over websockets
            await send({'type': 'websocket.close', 'code': 1008})
            return
        headers = {name.decode('latin-1').lower(): value.decode('latin-1')
                   for name, value in scope['headers']}
        refused = self._refused(headers)
        if refused is None and not self._knows(headers.get('authorization', '')):
            if headers.get('authorization'):
                await asyncio.sleep(WRONG)
            refused = 401, 'a password is needed: name it as HTTP Basic or Bearer'
        uploads = scope['path'].startswith(UPLOAD)
        most = self.upload_bytes + BODY if uploads else BODY
        if uploads and refused is None and _size(self.uploads) > KEPT * self.upload_bytes:
            refused = 507, 'uploads take up all the room that there is for them: try again later'
        if refused is None and _length(headers) > most:
            refused = 413, f'the most that may be sent here is {most:,} bytes'
        if refused is not None:
            await _refuse(send, *refused)
            return
        await self.app(scope, _Counted(receive, most), _hardened(send))

    def _refused(self, headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get('host', '')
        if self.hosts is not None and _without_port(host) not in self.hosts:
            return 421, f'this is reached as {" or ".join(sorted(self.hosts))} alone'
        origin = headers.get('origin')
        if origin is not None and urlsplit(origin).netloc != host:
            return 403, 'a page elsewhere may not ask this'
        if headers.get('sec-fetch-site') == 'cross-site' and headers.get(
                'sec-fetch-mode') != 'navigate':
            return 403, 'a page elsewhere may not ask this'
        return None

    def _knows(self, authorization: str) -> bool:
        if self.password is None:
            return True
        kind, _, value = authorization.strip().partition(' ')
        if kind.lower() == 'basic':
            try:
                value = base64.b64decode(value.strip(), validate=True).decode('utf-8')
            except (binascii.Error, ValueError):
                return False
            value = value.partition(':')[2]
        elif kind.lower() != 'bearer':
            return False
        return hmac.compare_digest(value.strip().encode(), self.password.encode())


class _Counted:
    """Passes a request's body on, to a bound whatever its header says."""

    def __init__(self, receive: Any, most: int) -> None:
        self.receive, self.left = receive, most

    async def __call__(self) -> Any:
        message = await self.receive()
        self.left -= len(message.get('body', b''))
        return message if self.left >= 0 else {'type': 'http.disconnect'}


def _hardened(send: Any) -> Any:
    """Has answers say that nothing of them is for pages elsewhere, and asks for nothing there."""
    async def wrapped(message: Any) -> None:
        if message['type'] == 'http.response.start':
            message = dict(message, headers=[
                *message['headers'], (b'x-content-type-options', b'nosniff'),
                (b'referrer-policy', b'no-referrer'), (b'x-frame-options', b'DENY'),
                (b'cross-origin-resource-policy', b'same-origin')])
        await send(message)
    return wrapped


async def _refuse(send: Any, status: int, line: str) -> None:
    headers = [(b'content-type', b'application/json')]
    if status == 401:
        headers.append((b'www-authenticate', b'Basic realm="mmbt"'))
    await send({'type': 'http.response.start', 'status': status, 'headers': headers})
    await send({'type': 'http.response.body', 'body': json.dumps(dict(error=line)).encode()})


def _size(folder: str | os.PathLike | None) -> int:
    """Bytes of the files below a folder."""
    total = 0
    for parent, _, names in os.walk(os.fspath(folder or os.devnull)):
        total += sum(os.stat(os.path.join(parent, name)).st_size for name in names)
    return total


def _length(headers: dict[str, str]) -> int:
    length = headers.get('content-length', '0')
    return int(length) if length.isdecimal() else 0


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(':')
    return (name if colon and port.isdecimal() else host).lower()
