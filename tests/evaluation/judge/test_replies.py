"""What a judge's replies say, and which of them say nothing."""
import pytest

from mmbt.evaluation.judge import Verdict, parse_reply


@pytest.mark.parametrize('text, score', [
    ("{'score': 4.8}", 4.8), ('{"score": 4}', 4), ("{'score': 0}", 0), ("{'score': 5.0}", 5),
    ("```python\n{'score': 3}\n```", 3), ('```json\n{"score": 2.5}\n```', 2.5),
    ("Here is my grade: {'score': 1}. Good luck!", 1), ("{'score': '4'}", 4),
    ('{"score": 3, "why": null, "sure": true}', 3), ("{'score': 2}\n{'score': 2}", 2),
    ("{a set} {'score': 2}", 2), ('{\n  "score": 4\n}', 4),
])
def test_a_score_is_read(text, score):
    assert parse_reply(text, is_qa=False) == Verdict(score)


@pytest.mark.parametrize('text, verdict', [
    ("{'pred': 'yes', 'score': 4}", Verdict(4, True)),
    ('{"pred": "No", "score": 0}', Verdict(0, False)),
    ("```\n{'score': 5, 'pred': ' YES '}\n```", Verdict(5, True)),
])
def test_right_or_wrong_is_read(text, verdict):
    assert parse_reply(text, is_qa=True) == verdict


@pytest.mark.parametrize('text, words', [
    ('', 'no dictionary'), (None, 'no dictionary'), ('4.8', 'no dictionary'),
    ("{'score': 4", 'no dictionary'), ("[{'score'}]", 'no dictionary'),
    ("{'grade': 4}", "'score' must be a number"), ("{'score': None}", "'score' must be a number"),
    ("{'score': 'high'}", "'score' must be a number"), ("{'score': [4]}", 'must be a number'),
    ("{'score': 5.1}", 'must be from 0 to 5'), ("{'score': -1}", 'must be from 0 to 5'),
    ('{"score": NaN}', 'must be from 0 to 5'), ("{'score': True}", 'must be from 0 to 5'),
    ('{"score": 1e999}', 'must be from 0 to 5'), ("{'score': 10}", 'must be from 0 to 5'),
    ("{'score': 2} or {'score': 3}", 'different grades'),
    ("{'score': __import__('os').getpid() % 5}", 'no dictionary'), ('{' * 9999, 'no dictionary'),
    (' ' * 20_000 + "{'score': 4}", 'no dictionary'),
])
def test_no_score_is_an_error(text, words):
    with pytest.raises(ValueError, match=words) as caught:
        parse_reply(text, is_qa=False)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize('text', [
    "{'score': 4}", "{'pred': 'maybe', 'score': 4}", "{'pred': True, 'score': 4}",
    "{'pred': 'yes or no', 'score': 4}", "{'pred': ['yes'], 'score': 4}",
])
def test_neither_yes_nor_no_is_an_error(text):
    with pytest.raises(ValueError, match="'pred' must be 'yes' or 'no'"):
        parse_reply(text, is_qa=True)


def test_a_score_is_needed_with_yes_too():
    with pytest.raises(ValueError, match="'score' must be a number"):
        parse_reply("{'pred': 'yes'}", is_qa=True)
