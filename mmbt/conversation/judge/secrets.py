"""What must not be told of a connection: its key, and the password in its address."""
import base64
import logging
import re
from urllib.parse import quote, unquote, urlsplit, urlunsplit

SHORTEST = 6
"""Letters of a key that is looked for in any text; shorter ones, which some servers are given for
want of a key, are words of the language too."""

HIDDEN = '***'
_SCHEMES = re.compile(r'\b(Bearer|Basic)(\s+|%20)[^\s\'",;}]+', re.I)
_IN_ADDRESS = re.compile(r'(\w+://)[^/\s@\'"]*@')


_LIBRARIES = ('openai', 'httpx', 'httpcore')  # whose loggers tell of requests


class Secrets(logging.Filter):
    """Hides them in what is said, kept or logged.

    Args:
        values: The key, the password and so on.
    """

    def __init__(self, *values: str) -> None:
        super().__init__()
        forms = {form for value in values if len(value) >= SHORTEST
                 for form in (value, quote(value, safe=''), repr(value)[1:-1],
                              base64.b64encode(value.encode()).decode())}
        self._values = sorted(forms, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """A text without them, and without any ``Bearer ...`` or ``user:password@``."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return _IN_ADDRESS.sub(rf'\1{HIDDEN}@', _SCHEMES.sub(rf'\1\2{HIDDEN}', text))

    def filter(self, record: logging.LogRecord) -> bool:
        """Hide them in a line of a log."""
        record.msg, record.args = self.hide(record.getMessage()), None
        if record.exc_info:
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_info, record.exc_text = None, self.hide(text)
        return True

    def guard_logs(self) -> None:
        """Hide them in what the client's libraries log, which is the server's headers too."""
        for name in list(logging.root.manager.loggerDict):
            logger = logging.getLogger(name)
            guards = [each for each in logger.filters if isinstance(each, Secrets)]
            if name.startswith(_LIBRARIES) and all(
                    each._values != self._values for each in guards):
                logger.addFilter(self)


def split_address(url: str | None) -> tuple[str | None, dict[str, str], tuple[str, ...]]:
    """Take user and password out of an address, so that no log of the client has them.

    Args:
        url: Such as ``https://user:password@host/v1``.

    Returns:
        The address without them; the headers that stand for them; and what is secret of it.

    Raises:
        ValueError: If it is no address of http.
    """
    if url is None:
        return None, {}, ()
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ('http', 'https') and bool(parts.hostname) and (
            parts.port is None or parts.port) and re.fullmatch(r'[!-~]+', url)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError('base_url must begin with http:// or https:// and name a server, got '
                         f'{Secrets().hide(repr(url))}')
    if '@' not in parts.netloc:
        return url, {}, ()
    user, _, host = parts.netloc.rpartition('@')
    pair = ':'.join(map(unquote, user.partition(':')[::2]))
    basic = base64.b64encode(pair.encode()).decode()
    bare = urlunsplit((parts.scheme, host, parts.path, parts.query, parts.fragment))
    return bare, {'Authorization': f'Basic {basic}'}, (pair, basic, pair.partition(':')[2])
