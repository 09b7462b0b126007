"""The judge behind chat completions: what is asked again, given up, or stopped at."""
import logging
import sys
import threading
import time
import traceback
from base64 import b64encode
from pathlib import Path

import pytest

from mmbt.conversation.judge import (
    Answered,
    Judge,
    JudgeError,
    Verdict,
    judge_answers,
    summarize,
    write_json,
)
from mmbt.conversation.judge.secrets import Secrets, split_address

from .stub_server import completion, serve

MESSAGES = [dict(role='system', content='grade'), dict(role='user', content='q')]


def ask(stub, is_qa=False, **settings):
    return Judge('stub', stub.url, **{**dict(retries=2, timeout=5), **settings}).ask(
        MESSAGES, is_qa)


def replies(*said):
    """Answer with these in turn, and with the last of them from then on."""
    return serve(lambda question, number: said[min(number, len(said) - 1)])


def test_the_request_has_model_messages_and_key():
    with replies("{'pred': 'yes', 'score': 4}") as stub:
        assert ask(stub, is_qa=True) == (Verdict(4, True), "{'pred': 'yes', 'score': 4}")
    request, = stub.requests
    assert request == dict(model='stub', messages=MESSAGES, path='/v1/chat/completions',
                           key='Bearer secret')


def test_a_temperature_is_sent_where_it_is_chosen():
    with replies("{'score': 4}") as stub:
        ask(stub, temperature=0)
    assert stub.requests[0]['temperature'] == 0


@pytest.mark.parametrize('status', [429, 500, 503])
def test_a_refusal_for_the_time_being_is_sent_again(status):
    with replies(status, status, "{'score': 3}") as stub:
        assert ask(stub)[0] == Verdict(3)
    assert len(stub.requests) == 3


@pytest.mark.parametrize('status', [429, 500])
def test_retries_end(status):
    with replies(status) as stub, pytest.raises(JudgeError, match=f'status {status}'):
        ask(stub)
    assert len(stub.requests) == 3


def test_a_server_that_hangs_is_a_timeout():
    over = threading.Event()

    def hang(question, number):
        if number == 0:
            over.wait(10)
        return "{'score': 3}"

    with serve(hang) as stub:
        start = time.monotonic()
        with pytest.raises(JudgeError, match='timed out'):
            ask(stub, timeout=0.2, retries=0)
        assert time.monotonic() - start < 5
        assert ask(stub)[0] == Verdict(3)
        over.set()


def test_a_server_that_is_gone_is_a_failure():
    with replies('') as stub:
        pass
    with pytest.raises(JudgeError, match='[Cc]onnection'):
        ask(stub, retries=0)


def test_a_reply_that_says_nothing_is_asked_for_again():
    with replies('I cannot say.', "{'score': 9}", "{'score': 2}") as stub:
        assert ask(stub) == (Verdict(2), "{'score': 2}")
    assert len(stub.requests) == 3


def test_attempts_end_with_what_was_wrong_last():
    with replies('I cannot say.', "{'score': 9}") as stub:
        with pytest.raises(JudgeError, match="from 0 to 5 in the reply {'score': 9.*last of 2$"):
            ask(stub, attempts=2)
    assert len(stub.requests) == 2


@pytest.mark.parametrize('said', [
    None, (200, {}, dict(choices=[])), (200, {}, {}), (200, {}, completion('') | {'choices': None}),
    (200, {}, b'not json'), (200, {'Content-Type': 'text/html'}, b'<html>'), (200, {}, b'[1]'),
    (400, {}, dict(error=dict(message='too long'))),
])
def test_what_is_no_answer_is_a_failure_of_this_one(said):
    with replies(said) as stub, pytest.raises(JudgeError) as caught:
        ask(stub, attempts=1, retries=0)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('said', [
    401, 403, 404,
    (429, {'retry-after-ms': '1'}, dict(error=dict(message='pay', code='insufficient_quota')))])
def test_what_no_request_can_pass_stops_all(said):
    with replies(said) as stub, pytest.raises(ValueError, match='refuses all requests') as caught:
        ask(stub)
    assert '\n' not in str(caught.value) and 'secret' not in str(caught.value)


def test_without_a_key_nothing_begins(monkeypatch):
    monkeypatch.setenv('OPENAI_API_KEY', '')
    with pytest.raises(ValueError, match='OPENAI_API_KEY is not set'):
        Judge()


def test_without_the_client_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'openai', None)
    with pytest.raises(ValueError, match='needs the openai client: pip install'):
        Judge()


@pytest.mark.parametrize('settings', [
    dict(retries=-1), dict(attempts=0), dict(timeout=0), dict(base_url='localhost:8000'),
    dict(base_url='http://'), dict(base_url='http://host:x/'), dict(base_url='http://[x/'),
    dict(base_url='http://ho st/')])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Judge(**settings)


def test_it_can_be_asked_after_an_interruption():
    with replies("{'score': 3}") as stub:
        judge = Judge('stub', stub.url)
        judge.interrupt()
        assert judge.ask(MESSAGES, False)[0] == Verdict(3)


LONG_KEY = 'sk-proj-7Hq=/4_secret+9'


def told(error):
    """All that an error says, with its traceback."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return ''.join(lines) + repr(error)


@pytest.fixture
def long_key(monkeypatch):
    monkeypatch.setenv('OPENAI_API_KEY', LONG_KEY)
    return LONG_KEY


@pytest.mark.parametrize('status, kind', [(401, ValueError), (403, ValueError), (400, JudgeError),
                                          (429, JudgeError), (500, JudgeError)])
def test_a_key_that_the_server_sends_back_is_in_no_error(status, kind, long_key, caplog):
    """In its words, its code and its type, as the header and by itself."""
    def echo(question, number):
        header = stub.requests[-1]['key']
        return status, {'retry-after-ms': '1', 'x-echo': header}, dict(error=dict(
            message=f'wrong: {header}, {long_key}', code=long_key, type=header))

    caplog.set_level(logging.DEBUG)
    with serve(echo) as stub, pytest.raises(kind) as caught:
        ask(stub, retries=0)
    assert stub.requests[0]['key'] == f'Bearer {long_key}'
    assert 'wrong: Bearer ***' in str(caught.value)
    assert long_key not in told(caught.value) + caplog.text


def test_a_key_in_a_reply_is_in_no_result(long_key):
    """The verdict is kept, with the reply that it stands in; failures say a reply's beginning."""
    replies = [f"Bearer {long_key}: {{'score': 3}}", f"{'x' * 95}{long_key} no grade"]

    def echo(question, number):
        return replies['Question: q1' in question]

    given = [Answered(f'v{place}', dict(question=f'q{place}', answer='a', prediction='b'))
             for place in range(2)]
    with serve(echo) as stub:
        results = judge_answers(given, 'detail', Judge('stub', stub.url, attempts=1), 'out.json')
    assert results[0].verdict == Verdict(3) and 'no dictionary' in results[1].failure
    write_json(summarize('detail', given, results, {}), 'out.json')
    kept = [path.read_text() for path in Path().iterdir()]
    assert len(kept) == 2 and 'Bearer ***' in ''.join(kept)
    assert not any(long_key[:12] in text for text in [*kept, repr(results)])


def test_a_password_in_the_address_is_sent_and_not_told(caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    basic = b64encode(b'me:pass word').decode()

    def echo(question, number):
        return 400, {}, dict(error=dict(message=f'no: {stub.requests[-1]["key"]} pass word'))

    with serve(echo) as stub:
        address = stub.url.replace('://', '://me:pass%20word@')
        with pytest.raises(JudgeError, match=r'no: Basic \*\*\* \*\*\*') as caught:
            Judge('stub', address, retries=0).ask(MESSAGES, False)
        monkeypatch.setenv('OPENAI_BASE_URL', address)
        with pytest.raises(JudgeError):
            Judge('stub', retries=0).ask(MESSAGES, False)
    assert [each['key'] for each in stub.requests] == [f'Basic {basic}'] * 2
    for secret in ('pass word', 'pass%20word', basic):
        assert secret not in told(caught.value) + caplog.text
    with pytest.raises(ValueError, match="got '\\*\\*\\*@host/v1'|name a server") as caught:
        Judge('stub', 'ftp://me:pass%20word@host/v1')
    assert 'pass' not in told(caught.value).split('ValueError: ')[-1]


def test_short_words_that_stand_for_a_key_stay_in_the_text():
    assert Secrets('none').hide('none of it; Bearer none') == 'none of it; Bearer ***'
    assert Secrets('abcdef').hide('ABC abcdefg') == 'ABC ***g'
    assert split_address('https://host:1/v1?x=1') == ('https://host:1/v1?x=1', {}, ())


def test_a_key_that_no_header_takes_is_refused(monkeypatch):
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-12345\u2026')
    with pytest.raises(ValueError, match='OPENAI_API_KEY holds a character') as caught:
        Judge()
    assert '12345' not in str(caught.value)


@pytest.mark.parametrize('content', [[1], 7, {'text': 'x'}])
def test_content_that_is_no_text_is_a_failure(content):
    with replies((200, {}, completion(content))) as stub, pytest.raises(JudgeError) as caught:
        ask(stub, attempts=1)
    assert 'no chat completion' in str(caught.value)


def test_a_reply_that_is_nested_too_deeply_is_a_failure():
    with replies((200, {}, b'[' * 100_000)) as stub, pytest.raises(JudgeError, match='completion'):
        ask(stub, attempts=1, retries=0)
