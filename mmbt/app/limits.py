"""What may be asked of a server."""
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What may be asked of a server.

    Args:
        upload_bytes: Of an uploaded video.
        seconds: Of a video that is labelled or talked about, unless its windows are in the index.
        text: Characters of a text.
        texts: Texts of a query, and names of classes.
        hits: Moments of an answer.
        waiting: Jobs that may wait for the one at hand.
    """

    upload_bytes: int = 512 * 2**20
    seconds: float = 3600.
    text: int = 1000
    texts: int = 1000
    hits: int = 100
    waiting: int = 32

    def checked(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Texts without the space around them; ValueError where they are too many or too long."""
        texts = tuple(text.strip() for text in texts)
        if len(texts) > self.texts:
            raise ValueError(f'{len(texts)} texts are too many: the most is {self.texts}')
        longest = max(map(len, texts), default=0)
        if longest > self.text:
            raise ValueError(f'a text of {longest:,} characters is too long: the most is '
                             f'{self.text:,}')
        return texts

    def check_top(self, top: int) -> None:
        """Raise ValueError where so many moments cannot be asked for."""
        if not 1 <= top <= self.hits:
            raise ValueError(f'top must be 1 to {self.hits}, got {top}')
