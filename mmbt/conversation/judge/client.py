"""A judge behind an interface of chat completions, OpenAI's or another server's."""
import os
from functools import partial
from typing import Any

from .replies import Verdict, parse_reply, shorten
from .secrets import Secrets, split_address

MODEL = 'gpt-3.5-turbo'
"""The paper's judge. Its versions change and are withdrawn, so that numbers are comparable only
where one and the same model judged them."""

KEY, BASE_URL = 'OPENAI_API_KEY', 'OPENAI_BASE_URL'


class JudgeError(Exception):
    """One answer could not be judged; the message says why."""


class Judge:
    """Asks a language model for verdicts.

    Args:
        model: Its name.
        base_url: Of the server, such as ``http://localhost:8000/v1``; None is OpenAI's, or what the
            environment's ``OPENAI_BASE_URL`` says. A user and password in it are sent in a header,
            in the place of the key.
        temperature: None leaves it to the server, as published.
        retries: How often a request is sent again that is refused for the time being (429, 5xx,
            timeout, no connection), after pauses that double up to 8 s or are as the server says.
        timeout: Seconds without an answer.
        attempts: How often the judge is asked whose replies cannot be read.

    The key and the password are in no error and no reply that this returns, whatever the server
    sends back.

    Raises:
        ValueError: If the client is not installed, there is no key, or an argument is not allowed.
    """

    def __init__(self, model: str = MODEL, base_url: str | None = None,
                 temperature: float | None = None, retries: int = 6, timeout: float = 60,
                 attempts: int = 3) -> None:
        if retries < 0 or attempts < 1 or not timeout > 0:
            raise ValueError('retries must be at least 0, attempts at least 1 and timeout above 0, '
                             f'got {retries}, {attempts} and {timeout}')
        address, headers, secrets = split_address(base_url or os.environ.get(BASE_URL) or None)
        try:
            import openai
        except ImportError:
            raise ValueError("the judge needs the openai client: pip install 'openai>=1.56'"
                             ) from None
        key = os.environ.get(KEY, '').strip()
        if not key:
            raise ValueError(f'{KEY} is not set: set it to the key of the judge, or to any word '
                             'for a server that wants none')
        if not (key.isascii() and key.isprintable()):
            raise ValueError(f'{KEY} holds a character that no key has: copy it again')
        self._secrets = Secrets(key, *secrets)
        self.model = model
        self.temperature = temperature
        self.attempts = attempts
        self._errors = openai
        self._connect = partial(openai.OpenAI, api_key=key, base_url=address,
                                default_headers=headers, max_retries=retries, timeout=timeout)
        try:
            self._client = self._connect()
            self._secrets.guard_logs()
        except Exception as error:  # of the library below it too, whose classes are its own
            raise ValueError(f'base_url cannot be used: {self._one_line(error)}') from None

    @property
    def settings(self) -> dict[str, Any]:
        """What verdicts depend on, besides prompts."""
        return dict(judge=self.model, temperature=self.temperature)

    def ask(self, messages: list[dict[str, str]], is_qa: bool) -> tuple[Verdict, str]:
        """The verdict, and the reply that it stands in; threads may ask at the same time.

        Raises:
            JudgeError: If there is none.
            ValueError: If no request can succeed: a key or model that the server does not know, an
                account without credit.
        """
        why = ''
        for _ in range(self.attempts):
            reply = self._complete(messages)
            try:
                return parse_reply(reply, is_qa), reply
            except ValueError as error:
                why = str(error)
        raise JudgeError(f'{why}, the last of {self.attempts}')

    def _complete(self, messages: list[dict[str, str]]) -> str:
        """The text of a reply, without what is secret.

        No error is raised from the client's own, which holds the request, its headers and what the
        server said.
        """
        errors = self._errors
        chosen = {} if self.temperature is None else dict(temperature=self.temperature)
        try:
            completion = self._client.chat.completions.create(
                model=self.model, messages=messages, **chosen)
            reply = completion.choices[0].message.content or ''
            if not isinstance(reply, str):
                raise TypeError(f'content is a {type(reply).__name__}')
            return self._secrets.hide(reply)
        except (errors.AuthenticationError, errors.PermissionDeniedError,
                errors.NotFoundError) as error:
            raise ValueError(f'the judge {self.model} refuses all requests: '
                             f'{self._one_line(error)}; check {KEY}, the model and the base URL'
                             ) from None
        except errors.RateLimitError as error:
            if error.code == 'insufficient_quota':
                raise ValueError('the judge refuses all requests: '
                                 f'{self._one_line(error)}') from None
            raise JudgeError(self._one_line(error)) from None
        except errors.OpenAIError as error:
            raise JudgeError(self._one_line(error)) from None
        except (AttributeError, IndexError, KeyError, TypeError, ValueError,
                RecursionError) as error:
            raise JudgeError('the server sends no chat completion: '
                             f'{self._one_line(error)}') from None

    def _one_line(self, error: Exception) -> str:
        """An error's words, without what is secret."""
        words = self._secrets.hide(' '.join(str(error).split()))
        return shorten(words, 300).strip('\'"')

    def interrupt(self) -> None:
        """Let no request under way be sent again; later ones go over a new connection."""
        under_way, self._client = self._client, self._connect()
        under_way.close()
