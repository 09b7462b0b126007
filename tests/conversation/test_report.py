"""The report of conversation: our numbers and the paper's, never mixed."""
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmbt.conversation.judge import GENERATIVE, METRICS
from mmbt.conversation.judge.paper import MEANS, TABLE_3, TABLES
from mmbt.conversation.picture import scores_picture
from mmbt.conversation.report import markdown, read_run, write_report


def result(metric, score=2.25, judge='stub', prompts='mmbt', **more):
    qa = dict(accuracy=61.25, yes=49, no=31) if METRICS[metric].is_qa else {}
    return dict(metric=metric, judge=judge, prompts=prompts, score_int=score, score=score + 0.5,
                questions=1_100, judged=1_080, failed=8, unanswered=12, failures=[], **qa, **more)


def run_of(*metrics, **more):
    return {metric: result(metric, **more) for metric in metrics}


def lines(runs, start):
    return [line for line in markdown(runs).splitlines() if line.startswith(start)]


def test_the_paper_s_means_are_those_of_its_numbers_but_for_one():
    means = {name: np.mean(values) for name, values in TABLE_3.columns.items()}
    off = {name: means[name] for name in means if abs(means[name] - MEANS[name]) > 0.006}
    assert off == {'BT-Adapter (ZS)': pytest.approx(2.368)}
    assert '2.46; its five numbers have the mean 2.37' in TABLE_3.note


def test_tables_are_whole():
    for table in TABLES:
        assert {len(values) for values in table.columns.values()} == {len(table.rows)}
        assert {metric for metric, _ in table.rows.values()} <= METRICS.keys()


def test_ours_and_the_paper_s_are_columns_of_their_own():
    runs = dict(tiny=run_of('correctness', 'msvd_qa', 'msrvtt_qa'), other=run_of('temporal'))
    assert lines(runs, '|  |')[0] == (
        '|  | ours: tiny | ours: other | paper: VideoLLaMA | paper: LLaMA-Adapter | paper: '
        'VideoChat | paper: VideoChatGPT | paper: BT-Adapter (ZS) | paper: BT-Adapter (FT) |')
    assert lines(runs, '| Correctness of') == ['| Correctness of Information | 2.25 | not run | '
                                               '1.96 | 2.03 | 2.23 | 2.40 | 2.16 | 2.68 |']
    assert lines(runs, '| Detail') == ['| Detail Orientation | not run | not run | 2.18 | 2.32 | '
                                       '2.50 | 2.52 | 2.46 | 2.69 |']
    assert lines(runs, '| MSVD') == [
        '| MSVD-QA Acc | 61.2 | not run | 51.6 | 54.9 | 56.3 | 64.9 | 67.0 | 67.5 |',
        '| MSVD-QA Score | 2.25 | not run | 2.5 | 3.1 | 2.8 | 3.3 | 3.6 | 3.7 |']
    assert lines(runs, '| Temporal |') == ['| Temporal | not run | 2.25 | 1.78 | 2.13 | 1.88 | '
                                           '2.56 | 1.56 | 2.15 |']
    assert lines(runs, '| tiny, MSVD-QA') == [
        '| tiny, MSVD-QA | 1,100 | 1,080 | 8 | 12 | 2.25 | 2.75 | 61.2 | 49 / 31 |']


def test_a_mean_needs_all_five():
    four = run_of(*GENERATIVE[:4])
    five = {**four, 'consistency': result('consistency', 3.25)}
    assert lines(dict(a=four, b=five), '| Mean') == [
        '| Mean | not run | 2.45 | 1.98 | 2.16 | 2.29 | 2.38 | 2.46 | 2.69 |']


def test_who_judged_is_said():
    text = markdown(dict(a=run_of('detail'), b=run_of('detail', judge='gpt', prompts='p.json')))
    assert 'Judged by gpt, stub;' in text and 'different judges: do not compare' in text
    assert "this project's own prompts" in text
    text = markdown(dict(b=run_of('detail', judge='gpt', prompts='p.json')))
    assert 'different judges' not in text and "own prompts" not in text


def test_words_alone_are_no_number_of_the_paper():
    exact = dict(metric='msvd_qa', equal=12.5, contained=40, questions=80, unanswered=0)
    runs = dict(a={'exact msvd_qa': exact})
    text = markdown(runs)
    assert text.index('no number of the paper') < text.index('| a, MSVD-QA | 12.5 | 40.0 | 80 | 0')
    assert '| MSVD-QA Acc | not run |' in text and 'Judged by nobody yet' in text


def test_a_folder_s_results_are_read_and_nothing_else(tmp_path):
    (tmp_path / 'general.json').write_text('[]')
    (tmp_path / 'odd.json').write_text('{"metric": "odd"}')
    (tmp_path / 'broken.json').write_text('{')
    with pytest.raises(ValueError, match='holds no results'):
        read_run(tmp_path)
    (tmp_path / 'general.detail.json').write_text(json.dumps(result('detail')))
    exact = dict(metric='msvd_qa', equal=1., contained=2., questions=3, unanswered=0)
    (tmp_path / 'msvd.msvd_qa.exact.json').write_text(json.dumps(exact))
    assert read_run(tmp_path) == {'detail': result('detail'), 'exact msvd_qa': exact}
    for text, words in (('{', 'not valid JSON'), ('[]', 'no result of a metric'),
                        (json.dumps({**result('detail'), 'judged': '12'}), "'judged' is '12'"),
                        (json.dumps(result('detail', score=float('nan'))), "'score_int' is nan"),
                        (json.dumps({**result('msvd_qa'), 'yes': -1}), "'yes' is -1")):
        (tmp_path / 'other.detail.json').write_text(text)
        with pytest.raises(ValueError, match=f'other.detail.json .*{words}'):
            read_run(tmp_path)
    (tmp_path / 'other.detail.json').write_text(json.dumps(result('detail')))
    with pytest.raises(ValueError, match='two results of detail, other.detail.json is one'):
        read_run(tmp_path)


def test_the_report_is_text_json_and_a_picture(tmp_path):
    runs = dict(tiny=run_of('detail'))
    paths = write_report(runs, tmp_path / 'new')
    assert [path.name for path in paths] == [f'conversation.{kind}' for kind in
                                             ('md', 'json', 'png')]
    content = json.loads(Path(paths[1]).read_text())
    assert content['ours'] == runs
    assert content['paper']['Generative performance (Table 3)']['BT-Adapter (FT)'][
        'Consistency'] == 2.46
    assert paths[0].read_text() == markdown(runs)
    assert Image.open(paths[2]).format == 'PNG'


def picture(ours):
    data = scores_picture(['one', 'two'], ours, dict(theirs=(1, 5)))
    return np.asarray(Image.open(io.BytesIO(data)).convert('RGB')).astype(int)


def test_a_longer_bar_has_more_of_its_colour():
    """Of two runs alike but for one score, 4 in the place of 2, which doubles that bar."""
    colour = np.array([0x1f, 0x6f, 0xb2]) * 0.45 + 255 * 0.55
    areas = [int((abs(picture(dict(a=(score, None))) - colour).max(axis=2) < 4).sum())
             for score in (0, 2, 4)]
    assert areas[1] > 1000
    assert (areas[2] - areas[0]) / (areas[1] - areas[0]) == pytest.approx(2, rel=0.1)
