"""What a judge may reply, damaged: a verdict, or one line why not; and soon."""
import random
import time

import pytest

from mmbt.conversation.judge import parse_reply
from mmbt.conversation.judge.loose_objects import LONGEST
from tests.support.fuzz import Door, fuzz

pytestmark = pytest.mark.slow

REPLIES = [
    "{'pred': 'yes', 'score': 4}", '{"pred": "No", "score": 0}', '{pred: yes, score: 4/5}',
    "<think>it says {'score': 3}, hm</think>\n```json\n{\"pred\": \"no\", \"score\": \"2\"}\n```",
    "{'result': {'pred': 'yes', 'score': 4.5, 'why': [1, (2, {'a': None})]}}"]
PIECES = ['{', '}', '[', ']', '(', ')', "'", '"', ':', ',', '\\', 'score', 'pred', 'yes', '4', '.5',
          '/5', '-', 'e9', ' ', '\n', '<think>', '</think>', 'None', '\u2028', '\ud800', '"score":']


def examples(folder):
    """Each reply in a file."""
    folder.mkdir(exist_ok=True)
    for place, text in enumerate(REPLIES):
        (folder / f'{place}.txt').write_text(text)
    return sorted(folder.iterdir())


def load(path):
    """Read the reply, as the client would have it from the server."""
    for is_qa in (True, False):
        verdict = parse_reply(path.read_bytes().decode('utf-8', 'surrogateescape'), is_qa)
        assert 0 <= verdict.score <= 5 and (verdict.right in (True, False)) == is_qa


DOORS = [Door("a judge's replies", examples, load, named=lambda path: ('reply', ))]


def test_a_damaged_reply_is_a_verdict_or_one_line(tmp_path):
    tally = fuzz(DOORS[0], tmp_path, count=150)
    assert tally.faults == []
    assert tally.accepted > 25 and tally.refused > 25


def test_no_reply_takes_long():
    """Any row of pieces, and each repeated to the longest that is looked into."""
    draw = random.Random(0)
    texts = [''.join(draw.choices(PIECES, k=draw.randrange(1, 400))) for _ in range(300)]
    texts += [''.join(draw.sample(PIECES, count)) * LONGEST
              for count in (1, 2, 3) for _ in range(15)]
    for text in texts:
        start = time.process_time()
        try:
            parse_reply(text[:3 * LONGEST], True)
        except ValueError as error:
            assert '\n' not in str(error) and len(str(error)) < 300
        assert time.process_time() - start < 2, text[:100]
