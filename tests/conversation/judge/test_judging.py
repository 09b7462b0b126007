"""Judging a file of answers: side by side, with failures, and again after a kill."""
import json
import re
import threading
import time
from pathlib import Path

import pytest

from mmbt.conversation.judge import (
    METRICS,
    PROMPTS,
    Answered,
    Judge,
    Judged,
    Verdict,
    judge_answers,
    read_answers,
    summarize,
)

from ...support.forked import fork, kill
from .stub_server import serve

pytestmark = pytest.mark.slow


def answers(count=12, start=0):
    return [Answered(f'v{number}', dict(question=f'q{number}', answer='dog', prediction='cat'))
            for number in range(start, start + count)]


def number_of(question):
    return int(re.search(r'Question: q(\d+)\n', question)[1])


def grade(question, number=0):
    """Grades by the question's number: 0, 0.5, .. 5."""
    return f"{{'score': {number_of(question) % 11 / 2}}}"


GRADES = [Judged(Verdict(number % 11 / 2)) for number in range(12)]


def judge_all(stub, given=None, metric='detail', threads=4, **more):
    return judge_answers(answers() if given is None else given, metric,
                         Judge('stub', stub.url, retries=0, attempts=1), 'out.json',
                         threads=threads, **more)


def slow_at_first(question, number):
    time.sleep(0.02 * (12 - number_of(question) % 12) / 12)
    return grade(question)


def test_threads_and_one_thread_give_the_same():
    """Replies come in another order than the questions; each goes where it belongs."""
    with serve(slow_at_first) as stub:
        assert judge_all(stub, threads=4) == GRADES
        assert 1 < stub.most_under_way <= 4
    places = [json.loads(line)['place'] for line in Path('out.json.journal').read_text()
              .splitlines()[1:]]
    assert sorted(places) == list(range(12)) != places
    Path('out.json.journal').unlink()
    with serve(slow_at_first) as stub:
        assert judge_all(stub, threads=1) == GRADES
        assert stub.most_under_way == 1 and len(stub.requests) == 12


def test_the_judge_is_asked_with_the_metric_s_prompt():
    with serve(grade) as stub:
        judge_all(stub, answers(1), metric='context')
        judge_answers(answers(1), 'detail', Judge('stub', stub.url), 'other.json',
                      prompt=PROMPTS['temporal'])
    fields = answers(1)[0].fields
    assert [each['messages'] for each in stub.requests] == [
        PROMPTS['context'].messages(fields), PROMPTS['temporal'].messages(fields)]


def fails_at(*numbers):
    def answer(question, number):
        return 'no idea' if number_of(question) in numbers else grade(question)
    return answer


def test_a_failure_is_no_score_and_is_tried_again_alone():
    with serve(fails_at(3, 5)) as stub:
        first = judge_all(stub)
    assert [place for place in range(12) if first[place].failure] == [3, 5]
    assert first[3] == Judged(None, "no dictionary in the reply 'no idea', the last of 1")
    assert [first[place] for place in range(12) if place not in (3, 5)] == [
        GRADES[place] for place in range(12) if place not in (3, 5)]
    with serve(grade) as stub:
        assert judge_all(stub) == GRADES
    assert sorted(number_of(each['messages'][1]['content']) for each in stub.requests) == [3, 5]


def test_an_unanswered_question_is_not_asked_about():
    given = answers()
    given[4] = Answered('v4', None)
    with serve(grade) as stub:
        results = judge_all(stub, given)
    assert results[4] == Judged() and len(stub.requests) == 11
    assert [*results[:4], *results[5:]] == [*GRADES[:4], *GRADES[5:]]


def test_a_verdict_counts_for_its_own_words_alone():
    """Answers that have changed, or moved, since are judged anew."""
    with serve(grade) as stub:
        judge_all(stub)
    changed = answers()
    changed[2] = Answered('v2', dict(changed[2].fields, prediction='dog'))
    with serve(lambda *asked: "{'score': 1}") as stub:
        results = judge_all(stub, changed)
        assert results == [*GRADES[:2], Judged(Verdict(1)), *GRADES[3:]]
        assert len(stub.requests) == 1
        assert judge_all(stub, answers(3)) == GRADES[:3] and len(stub.requests) == 1
        assert judge_all(stub, answers(2, start=1)) == [Judged(Verdict(1))] * 2


@pytest.mark.parametrize('change, words', [
    (dict(metric='context'), 'another metric and prompt'),
    (dict(prompt=PROMPTS['qa']), 'another prompt')])
def test_another_metric_s_verdicts_are_refused(change, words):
    with serve(grade) as stub:
        judge_all(stub, answers(1))
        with pytest.raises(ValueError, match=words):
            judge_all(stub, answers(1), **change)
        with pytest.raises(ValueError, match='another judge;'):
            judge_answers(answers(1), 'detail', Judge('stub2', stub.url), 'out.json')
        with pytest.raises(ValueError, match='another temperature;'):
            judge_answers(answers(1), 'detail', Judge('stub', stub.url, temperature=0), 'out.json')
    assert len(stub.requests) == 1


def test_a_judge_that_only_fails_is_given_up():
    def answer(question, number):
        return grade(question) if number_of(question) < 30 else 500

    with serve(answer) as stub:
        with pytest.raises(ValueError, match='failed 20 times in a row.*status 500.*run this'):
            judge_all(stub, answers(200))
        assert 50 <= len(stub.requests) < 70  # four at a time have begun when it stops
    with serve(grade) as stub:
        results = judge_all(stub, answers(200))
    assert len(stub.requests) == 170 and all(each.verdict for each in results)


def test_failures_between_verdicts_are_not_in_a_row():
    failing = [number for number in range(60) if number % 2]
    with serve(fails_at(*failing)) as stub:
        results = judge_all(stub, answers(60), threads=1)
    assert sum(each.failure is not None for each in results) == 30


def test_a_refusal_of_all_requests_stops_at_once():
    with serve(lambda *asked: 401) as stub:
        with pytest.raises(ValueError, match='refuses all requests'):
            judge_all(stub, answers(200), threads=2)
        assert len(stub.requests) <= 6


def test_progress_counts_what_was_known_and_what_is_done():
    with serve(fails_at(3)) as stub:
        judge_all(stub, answers(6))
        seen = []
        judge_all(stub, threads=1, progress=lambda *each: seen.append(each))
    assert seen == [(done, 12) for done in range(6, 13)]


def test_an_interruption_loses_nothing_and_ends_soon():
    """Ctrl-C while requests wait for their next try, which comes in some seconds."""
    def answer(question, number):
        if number_of(question) == 2:
            waiting.wait(60)
        if number_of(question) > 2:
            waiting.set()
        return grade(question) if number_of(question) < 3 else (
            429, {'retry-after': '5'}, dict(error=dict(message='later')))

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    waiting = threading.Event()
    with serve(answer) as stub:
        judge, start = Judge('stub', stub.url, retries=6), time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            judge_answers(answers(), 'detail', judge, 'out.json', threads=2, progress=stop)
    assert time.monotonic() - start < 4
    assert len(Path('out.json.journal').read_text().splitlines()) == 4
    with serve(grade) as stub:
        assert judge_all(stub) == GRADES and len(stub.requests) == 9


def test_a_killed_run_goes_on_where_it_was():
    """SIGKILL in the middle: what was judged is not asked again, and the results are the same."""
    waiting = threading.Event()

    def answer(question, number):
        if number_of(question) >= 7:
            waiting.set()
            time.sleep(60)
        return grade(question)

    with serve(answer) as stub:
        process = fork(lambda: judge_answers(answers(), 'detail', Judge('stub', stub.url),
                                             'out.json', threads=2))
        assert waiting.wait(120)
        journal = Path('out.json.journal')
        while len(journal.read_text().splitlines()) < 8:
            time.sleep(0.01)
        kill(process)
    with serve(grade) as stub:
        assert judge_all(stub) == GRADES
    assert sorted(number_of(each['messages'][1]['content'])
                  for each in stub.requests) == list(range(7, 12))


def test_answers_are_read_in_their_published_forms():
    Path('a.json').write_text(json.dumps([
        dict(video_name='v_a', Q='q?', A=3, pred='said'), dict(video_name='v_b', Q='q', A='a',
                                                               error='it is broken')]))
    assert read_answers('a.json', METRICS['temporal']) == [
        Answered('v_a', dict(question='q?', answer='3', prediction='said')), Answered('v_b', None)]
    Path('b.json').write_text(json.dumps([
        dict(video_name='v', Q1='q1', Q2='q2', A='a', pred1='p1', pred2='')]))
    assert read_answers('b.json', METRICS['consistency']) == [Answered('v', dict(
        question1='q1', question2='q2', answer='a', prediction1='p1', prediction2=''))]
    Path('c.json').write_text(json.dumps([dict(id=7, question='q', answer='a', pred='p')]))
    assert read_answers('c.json', METRICS['msvd_qa']) == [
        Answered('7', dict(question='q', answer='a', prediction='p'))]
    for path, metric, words in (('a.json', 'msvd_qa', "entry 0 has no text 'question': MSVD-QA"),
                                ('b.json', 'detail', "no text 'Q': Detail Orientation judges"),
                                ('c.json', 'consistency', "no text 'Q1'")):
        with pytest.raises(ValueError, match=words):
            read_answers(path, METRICS[metric])
    Path('d.json').write_text(json.dumps([dict(video_name='v', Q='q', A='a')]))
    with pytest.raises(ValueError, match="entry 0 has no text 'pred'"):
        read_answers('d.json', METRICS['detail'])


def test_means_by_hand():
    """Scores 4.8, 3, 0.9: int mean 7 / 3, mean 8.7 / 3; one failed, one unanswered, neither 0."""
    given = [*answers(4), Answered('v4', None)]
    results = [Judged(Verdict(4.8)), Judged(Verdict(3)), Judged(None, 'why'), Judged(Verdict(0.9)),
               Judged()]
    assert summarize('detail', given, results, dict(judge='stub')) == dict(
        metric='detail', judge='stub', score_int=pytest.approx(7 / 3), score=pytest.approx(2.9),
        questions=5, judged=3, unanswered=1, failed=1,
        failures=[dict(place=2, name='v2', why='why')])


def test_accuracy_is_yes_among_yes_and_no():
    """Two yes and one no of four judged or failed: 66.7, not 50."""
    results = [Judged(Verdict(4.8, True)), Judged(Verdict(1, False)), Judged(None, 'why'),
               Judged(Verdict(5, True))]
    said = summarize('msvd_qa', answers(4), results, {})
    assert said['accuracy'] == pytest.approx(200 / 3) and (said['yes'], said['no']) == (2, 1)
    assert said['score_int'] == pytest.approx(10 / 3)


def test_nothing_judged_has_no_numbers():
    said = summarize('msvd_qa', answers(1), [Judged(None, 'why')], {})
    assert said['accuracy'] is said['score_int'] is said['score'] is None and said['failed'] == 1
