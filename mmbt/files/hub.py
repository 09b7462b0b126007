"""The Hugging Face hub, where there may be no network."""
import socket
import urllib.request
from urllib.parse import urlparse

import huggingface_hub.constants


def hub_is_out_of_reach() -> bool:
    """Whether the hub's name does not even resolve, so that retrying for a minute is idle."""
    if urllib.request.getproxies():
        return False
    try:
        socket.getaddrinfo(urlparse(huggingface_hub.constants.ENDPOINT).hostname, 443)
    except OSError:
        return True
    return False
