"""The judge behind chat completions: what is asked again, given up, or stopped at."""
import sys
import threading
import time

import pytest

from mmbt.evaluation.judge import Judge, JudgeError, Verdict

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


@pytest.mark.parametrize('settings', [dict(retries=-1), dict(attempts=0), dict(timeout=0),
                                      dict(base_url='localhost:8000')])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Judge(**settings)


def test_it_can_be_asked_after_an_interruption():
    with replies("{'score': 3}") as stub:
        judge = Judge('stub', stub.url)
        judge.interrupt()
        assert judge.ask(MESSAGES, False)[0] == Verdict(3)
