"""Every text file that strangers write, damaged: read, or refused in a line that names it."""
import json
import pickle

import pytest

from mmbt.conversation.judge import METRICS, load_prompts, read_answers
from mmbt.conversation.questions import find_question_videos, hash_questions, read_questions
from mmbt.conversation.report import markdown, read_run
from mmbt.conversation.tuning.instructions import read_instructions
from mmbt.datasets.annotations import CAPTION_READERS, read_captions, read_labels
from mmbt.datasets.preparation import prepare
from mmbt.datasets.video_files import read_mapping
from mmbt.files.json_text import read_json
from mmbt.models.class_names import read_classes
from tests.datasets.preparation.published import (
    ANET,
    CLIP,
    DIDEMO,
    HMDB,
    K400,
    LSMDC,
    MSRVTT,
    MSRVTT_DATA,
    MSVD,
    MSVD_PICKLE,
    UCF,
    WEBVID_2M,
    WEBVID_10M,
)
from tests.support.fuzz import Door, fuzz

pytestmark = pytest.mark.slow

CAPTIONS = {'b.mp4': ['one', 'two'], 'a.mp4': ['three\u2028four']}
ENTRIES = [{'video': 'b.mp4', 'caption': 'one'}, {'video': 'a.mp4', 'caption': ['x', 'y']}]
FORMS = dict(
    dict={'a.json': CAPTIONS}, list={'a.json': ENTRIES, 'b.jsonl': ENTRIES},
    json={'a.json': CAPTIONS, 'b.json': ENTRIES},
    webvid={'2m.csv': WEBVID_2M, '10m.tsv': WEBVID_10M.replace(',', '\t')}, msrvtt=MSRVTT,
    lsmdc=LSMDC)
QUESTIONS = {
    'general.json': [dict(video_name='v_a', Q='What?', A='A dog.')],
    'consistency.json': [dict(video_name='v_a', Q1='What?', Q2='Which?', A='A dog.')],
    'msvd.json': [dict(video='a_1_5.avi', id=7, question='what is it?', answer='dog')],
    'msrvtt.json': [dict(video_name='video7010', question_id='x', question='what?', answer=2)],
    'lines.jsonl': [dict(video_name='v_a', Q='What?', A='A dog.')] * 2}
ANET_Q = [dict(video_name='aaaaaaaaaaa', question='is it red', question_id='v_a_1')]
ANET_A = [dict(answer='yes', type=3, question_id='v_a_1')]
RESULT = dict(metric='msvd_qa', judge='stub', prompts='mmbt', accuracy=50.0, yes=1, no=1,
              score_int=2.5, score=2.75, questions=3, judged=2, failed=1, unanswered=0, failures=[])
EXACT = dict(metric='msvd_qa', equal=1., contained=2., questions=3, unanswered=0)


def write(folder, files):
    """Files by name: text, bytes, or anything else as JSON; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if name.endswith('.jsonl'):
            content = ''.join(f'{json.dumps(entry)}\n' for entry in content)
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return [folder / name for name in files]


def file_door(name, files, load, **more):
    """A door whose examples are these files, one by one."""
    return Door(name, lambda folder: write(folder, files), load, **more)


def folder_door(name, files, load):
    """A door whose example is a folder of these files; a refusal names one of them, or it."""
    return Door(name, lambda folder: [write(folder / 'all', files)[0].parent], load,
                named=lambda folder: tuple(map(str, (*folder.iterdir(), folder))))


def whole(entries):
    """All that a reader gives, as its user takes it: texts that can be written."""
    found = list(entries)
    assert found
    for entry in found:
        ''.join([entry['video'], *entry['captions']]).encode()
    return found


def prepared(name):
    """Load for the published files of a set in a folder."""
    def load(folder):
        out, videos = folder.parent / 'out', folder.parent / 'videos'
        videos.mkdir(exist_ok=True)
        for counts in prepare(name, sorted(map(str, folder.iterdir())), str(videos), str(out)):
            '\n'.join(counts.lines()).encode()
    return load


def questions_of(path, answers=None):
    asked = read_questions(str(path), answers)
    hash_questions(asked)
    find_question_videos(asked, str(path.parent))
    for each in asked:
        json.dumps(each.entry).encode()
        ''.join((each.video, *each.asked, each.answer)).encode()


def answers_of(path):
    for metric in ('detail', 'msvd_qa'):
        try:
            read_answers(path, METRICS[metric])
        except ValueError as error:
            refusal = error
        else:
            return
    raise refusal


def results_of(folder):
    markdown({'run': read_run(folder)}).encode()


def read_lists(path):
    for delimiter, base in ((' ', 0), ('\t', 1)):
        try:
            return read_labels(str(path), delimiter, base)
        except ValueError as error:
            refusal = error
    raise refusal


def two_files(files, load):
    return folder_door('questions and answers', files, lambda folder: load(
        folder / 'q.json', str(folder / 'a.json')))


PUBLISHED = dict(
    msrvtt={**MSRVTT}, didemo={'test_data.json': DIDEMO, 'test_list.txt': '1@N_2.mov\n'},
    activitynet={'val_1.json': ANET, 'val_ids.json': ['v_c']}, lsmdc=LSMDC,
    msvd={**MSVD, 'youtube_mapping.txt': 'a_1_5 vid1\nb_0_9 vid2\n'},
    webvid={'results_2M_train.csv': WEBVID_2M}, kinetics400=K400, hmdb51=HMDB, ucf101=UCF)
DOORS = [
    *(file_door(f'captions, {form}', FORMS[form],
                lambda path, form=form: whole(read_captions(str(path), form)))
      for form in CAPTION_READERS),
    file_door('labels', {'a.txt': 'run/a b.avi 0\nsit/c.avi 12\n', 'b.txt': 'run/a.avi\t1\r\n'},
              read_lists),
    file_door('classes', {'c.txt': '\ufeffabseiling\r\nair drumming\r\nYoYo\n'},
              lambda path: [name.encode() for name in read_classes(str(path))]),
    file_door('instructions', {'i.json': [dict(q='what?', a='a dog', video_id='v'),
                                          dict(q='', a='a cat', video_id='w')]},
              lambda path: read_instructions(str(path))),
    file_door('questions', QUESTIONS, questions_of),
    two_files({'q.json': ANET_Q, 'a.json': ANET_A}, questions_of),
    file_door('mapping of MSVD', {'youtube_mapping.txt': '-4wsuPCjDBc_5_15 vid1\nx_1_2 vid2\n'},
              lambda path: read_mapping(str(path))),
    file_door('answers', {'a.json': [dict(video_name='v', Q='q', A=3, pred='p'),
                                     dict(video_name='w', Q='q', A='a', error='broken')],
                          'b.json': [dict(id=7, question='q', answer='a', pred='p')]}, answers_of),
    folder_door('results', {'a.msvd_qa.json': RESULT, 'a.msvd_qa.exact.json': EXACT}, results_of),
    file_door('prompts', {'p.json': dict(detail=dict(
        system='grade', user='{question} {answer} {prediction}'))}, load_prompts),
    file_door('JSON', {'x.json': {'a': [1, {'b': None}]}, 'x.ndjson.jsonl': [1, 2]},
              lambda path: read_json(path, object)),
    *(folder_door(f'prepare {name}', files, prepared(name)) for name, files in PUBLISHED.items()),
    folder_door('prepare msrvtt, train', {'MSRVTT_train.9k.csv': 'video_id\nvideo0\n',
                                          'MSRVTT_data.json': MSRVTT_DATA}, prepared('msrvtt')),
    folder_door('prepare msvd, pickle', {
        'raw-captions.pkl': pickle.dumps(MSVD_PICKLE, 2), 'test_list.txt': 'a_1_5\n'},
        prepared('msvd')),
    folder_door('prepare hmdb51, lists', {'hmdb51_val_split_1_videos.txt': 'a/x.avi 0\nb/y.avi 1\n',
                                          'names.txt': 'brush_hair\nwave\n'}, prepared('hmdb51')),
    folder_door('prepare lsmdc, JSON', {'umt.json': [
        {'video': f'1004_Movie/{CLIP}.avi', 'caption': 'He sits.'}]}, prepared('lsmdc')),
]


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    """Warnings of what is left out are not looked at here; nothing is written elsewhere."""
    monkeypatch.setattr('mmbt.datasets.annotations.print_log', lambda *_, **__: None)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize('door', DOORS, ids=lambda door: door.name)
def test_a_damaged_text_is_read_or_refused_in_one_line(door, tmp_path):
    tally = fuzz(door, tmp_path, count=100)
    assert tally.faults == []
    assert tally.refused and tally.tried == tally.accepted + tally.refused >= 100
