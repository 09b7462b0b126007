"""Names of files that are not UTF-8, which Python holds with lone surrogates."""
import codecs

ANY_NAME = 'mmbt.any_name'
"""For ``open(errors=...)`` and the like: a name is written as the bytes that it has on the disk,
and what no encoding has as an escape."""


def _as_on_disk(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = b''.join(bytes([ord(letter) - 0xdc00]) if '\udc80' <= letter <= '\udcff'
                       else letter.encode('ascii', 'backslashreplace')
                       for letter in error.object[error.start:error.end])
    return written, error.end


codecs.register_error(ANY_NAME, _as_on_disk)
