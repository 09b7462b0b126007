"""A language model as the judge of answers about videos (Tables 3, 4 and 5)."""
from .client import MODEL, Judge, JudgeError
from .judging import Answered, Judged, judge_answers, read_answers
from .metrics import GENERATIVE, METRICS, QA, Metric
from .prompts import PROMPTS, Prompt, load_prompts
from .replies import Verdict, parse_reply
from .results import result_path, summarize, write_json

__all__ = [
    'Answered', 'GENERATIVE', 'Judge', 'JudgeError', 'Judged', 'METRICS', 'MODEL', 'Metric',
    'PROMPTS', 'Prompt', 'QA', 'Verdict', 'judge_answers', 'load_prompts', 'parse_reply',
    'read_answers', 'result_path', 'summarize', 'write_json',
]
