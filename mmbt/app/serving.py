"""A server of the page and the API, on a port of its own."""
import contextlib
import errno
import logging
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from .api import build_api
from .chats import Chats
from .guard import LOOPBACK, Guard
from .service import Service

UPLOADS = 'uploads'
GRACE = 3  # seconds that open pages have when the server ends


def build_app(service: Service, chats: Chats | None = None, page: bool = True,
              password: str | None = None, host: str = '127.0.0.1',
              cache: str | os.PathLike | None = None) -> Guard:
    """All that is served, as an ASGI application.

    Args:
        service: What it asks.
        chats: Conversations, where there is a dialogue model.
        page: Whether the page is served, beside the API.
        password: Asked of everyone. None: of nobody.
        host: The address that is listened to.
        cache: Where uploads are kept for an hour. Defaults to a folder that is made for it.
    """
    api = build_api(service)
    uploads = None
    if page:
        uploads = Path(cache or tempfile.mkdtemp(prefix='mmbt-app-')) / UPLOADS
        _add_page(api, service, chats, uploads)
    loopback = is_loopback(host)
    return Guard(api, password, LOOPBACK if loopback else None, service.limits.upload_bytes,
                 uploads)


def _add_page(api: Any, service: Service, chats: Chats | None, uploads: Path) -> None:
    uploads.mkdir(parents=True, exist_ok=True)
    os.environ['GRADIO_TEMP_DIR'] = str(uploads)  # read as components are made
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    service.folders.admit(uploads)
    import gradio as gr

    from .page import build_page, theme
    from .style import CSS, SCRIPT
    logging.getLogger('httpx').setLevel(logging.WARNING)
    gr.mount_gradio_app(
        api, build_page(service, chats), path='/', theme=theme(), css=CSS, head=SCRIPT,
        max_file_size=service.limits.upload_bytes, ssr_mode=False, run_history=False,
        footer_links=[], mcp_server=False, pwa=False, enable_monitoring=False, show_error=False)


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    return host in ('localhost', '::1') or host.startswith('127.')


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound; port 0 takes one that is free.

    Raises:
        ValueError: If the port is in use or not allowed, or the address is none of this machine.
    """
    if not 0 <= port < 2**16:
        raise ValueError(f'--port must be 0 to 65535, got {port}')
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise ValueError(f'port {port} of {host} is in use: name another with --port, or 0 '
                             'for any that is free') from error
        raise ValueError(f'cannot listen to port {port} of {host}: {error.strerror or error}'
                         ) from error
    return bound


def serve(app: Guard, bound: socket.socket, ready: Callable[[str], Any] = print) -> None:
    """Serve until the process is told to end, as by Ctrl-C.

    Args:
        app: From :func:`build_app`.
        bound: From :func:`listen`.
        ready: Called with the address, once it can be asked.
    """
    host, port = bound.getsockname()[:2]
    shown = f'[{host}]' if ':' in host else host
    server = Announcing(uvicorn.Config(app, log_level='warning', access_log=False, lifespan='on',
                                       ws='none', server_header=False,
                                       timeout_graceful_shutdown=GRACE),
                        lambda: ready(f'http://{shown}:{port}'))
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[bound])


class Announcing(uvicorn.Server):
    """A server that says when it has started.

    Args:
        config: As uvicorn takes it.
        ready: Called then.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], Any]) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self.ready()
