"""What a judge's replies say, and which of them say nothing."""
import pytest

from mmbt.conversation.judge import Verdict, parse_reply


@pytest.mark.parametrize('text, score', [
    ("{'score': 4.8}", 4.8), ('{"score": 4}', 4), ("{'score': 0}", 0), ("{'score': 5.0}", 5),
    ("```python\n{'score': 3}\n```", 3), ('```json\n{"score": 2.5}\n```', 2.5),
    ("Here is my grade: {'score': 1}. Good luck!", 1), ("{'score': '4'}", 4),
    ('{"score": 3, "why": null, "sure": true}', 3), ("{'score': 2}\n{'score': 2}", 2),
    ("{a set} {'score': 2}", 2), ('{\n  "score": 4\n}', 4),
    ("{'score': '4/5'}", 4), ("{'score': 3.5/5}", 3.5), ("{score: 4 out of 5}", 4),
    ("{{'score': 4}}", 4), ("{'score': 4}" + ' ' * 20_000, 4),
    ('{"Score": 2,}', 2), ("{'score': 4, 'why': {'facts': [1, (2, 3)], 'set': {}}}", 4),
    ("{'result': {'score': 4, 'of': 5}}", 4), ("{'judges': [{'score': 1}, {'score': 3}]}", 3),
    ("{'score': 2} at first, then {'score': 3}", 3), ("{'score': 3} {'sure': True}", 3),
    ("<think>{'score': 1} seems low</think>{'score': 4}", 4),
    ("The form is {'score': 4.8}. The answer names no dog.\n\n**{'score': 1.5}**", 1.5),
    ('<Thinking>' + 'hm {' * 20_000 + "</Thinking> {'score': 4}", 4),
    (' ' * 20_000 + "{'score': 4}", 4), ("{'score': 4, 'why': 'a } in \\' quotes {'}", 4),
])
def test_a_score_is_read(text, score):
    assert parse_reply(text, is_qa=False) == Verdict(score)


@pytest.mark.parametrize('text, verdict', [
    ("{'pred': 'yes', 'score': 4}", Verdict(4, True)),
    ('{"pred": "No", "score": 0}', Verdict(0, False)),
    ("```\n{'score': 5, 'pred': ' YES '}\n```", Verdict(5, True)),
    ("{'pred': yes, 'score': 4}", Verdict(4, True)), ('{pred: No, score: 0}', Verdict(0, False)),
    ("{'evaluation': {'pred': 'no', 'score': '1/5'}}", Verdict(1, False)),
    ("I think of {'pred': 'yes', 'score': 5}, but no: {'pred': 'no', 'score': 1} {'note': 'x'}",
     Verdict(1, False)),
])
def test_right_or_wrong_is_read(text, verdict):
    assert parse_reply(text, is_qa=True) == verdict


@pytest.mark.parametrize('text, words', [
    ('', 'no dictionary'), (None, 'no dictionary'), ('4.8', 'no dictionary'),
    ("{'score': 4", 'no dictionary'), ("[{'score'}]", 'no dictionary'),
    ("{'grade': 4}", "'score' must be a number"), ("{'score': None}", "'score' must be a number"),
    ("{'score': 'high'}", "'score' must be a number"), ("{'score': [4]}", 'must be a number'),
    ("{'score': 5.1}", 'must be from 0 to 5'), ("{'score': -1}", 'must be from 0 to 5'),
    ('{"score": NaN}', 'must be a number'), ("{'score': True}", 'must be a number'),
    ('{"score": 1e999}', 'must be from 0 to 5'), ("{'score': 10}", 'must be from 0 to 5'),
    ("{'score': 2, 'score': 3}", 'different grades'), ("{'score': '8/10'}", 'must be a number'),
    ("{'score': '1_0'}", 'must be a number'), ("{'score': 7/5}", 'must be from 0 to 5'),
    ("{'score': 3} {'score': 9}", 'must be from 0 to 5'), ("{'score': ''}", 'must be a number'),
    ("so {'score': 1}</think>\n4", 'no dictionary'), ("<think>{'score': 1}", 'no dictionary'),
    ("{'score': __import__('os').getpid() % 5}", 'no dictionary'), ('{' * 9999, 'no dictionary'),
    ("{'score': 4}" + ' x' * 20_000, 'no dictionary'), ("{'score': 4", 'no dictionary'),
    ('{"score":' * 5_000, 'no dictionary'), ("{'score': [" * 3_000, 'no dictionary'),
])
def test_no_score_is_an_error(text, words):
    with pytest.raises(ValueError, match=words) as caught:
        parse_reply(text, is_qa=False)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize('text', [
    "{'score': 4}", "{'pred': 'maybe', 'score': 4}", "{'pred': True, 'score': 4}",
    "{'pred': 'yes or no', 'score': 4}", "{'pred': ['yes'], 'score': 4}",
    "{'pred': yes or no, 'score': 4}", "{'pred': {'yes': 1}, 'score': 4}",
])
def test_neither_yes_nor_no_is_an_error(text):
    with pytest.raises(ValueError, match="'pred' must be 'yes' or 'no'"):
        parse_reply(text, is_qa=True)


def test_a_score_is_needed_with_yes_too():
    with pytest.raises(ValueError, match="'score' must be a number"):
        parse_reply("{'pred': 'yes'}", is_qa=True)
