"""Annotations in the forms in which they are published, and the tool that reads them."""
import json
from pathlib import Path

from ...support.tools import run as run_command

ROOT = Path(__file__).parents[3]
CLIP = '1004_Movie_00.00.51.926-00.00.54.129'

MSRVTT_DATA = {
    'info': {}, 'videos': [{'video_id': 'video0', 'split': 'train'}],
    'sentences': [{'caption': 'one ', 'video_id': 'video0', 'sen_id': 0},
                  {'caption': 'two', 'video_id': 'video0', 'sen_id': 1},
                  {'caption': 'three', 'video_id': 'video7', 'sen_id': 2}]}
MSRVTT = {'MSRVTT_JSFUSION_test.csv': 'key,vid_key,video_id,sentence\n'
          'ret0,msr7,video7,"a man, folding"\nret1,msr8,video8,a cat\n'}
LSMDC = {'LSMDC16_challenge_1000_publictect.csv': f'{CLIP}\t0\t1\t2\t3\tHe sits.\n'}
MSVD = {'AllVideoDescriptions.txt': '# Descriptions, see README\n\na_1_5 a dog runs\nb_0_9 a cat\n'
        'a_1_5 a dog\n', 'test_list.txt': 'a_1_5\n'}
MSVD_PICKLE = {'a_1_5': [['a', 'dog', 'runs'], ['a', 'dog']], 'b_0_9': [['a', 'cat']]}
ANET = {'v_b': {'duration': 9.5, 'timestamps': [[0, 1], [1, 9]], 'sentences': [' One.', 'Two. ']},
        'v_c': {'duration': 1, 'timestamps': [[0, 1]], 'sentences': ['Three.']}}
DIDEMO = [{'video': '1@N_2.mov', 'description': 'first', 'times': [[0, 0]], 'annotation_id': 1},
          {'video': '3@N_4.avi', 'description': 'other', 'times': [[0, 0]], 'annotation_id': 2},
          {'video': '1@N_2.mov', 'description': 'second', 'times': [[1, 1]], 'annotation_id': 3}]
WEBVID_2M = ('videoid,name,page_idx,page_dir,duration,contentUrl\n'
             '1,"A cat, ""asleep""",0,p,PT1S,u\n2,"Two\nlines",0,p,PT1S,u\n3,A dog,0,q,PT1S,u\n')
WEBVID_10M = ('videoid,contentUrl,duration,page_dir,name\n'
              '1,u,PT1S,p,"A cat, ""asleep"""\n2,u,PT1S,p,"Two\nlines"\n3,u,PT1S,q,A dog\n')
K400 = {'validate.csv': 'label,youtube_id,time_start,time_end,split\n'
        'playing violin,abc,5,15,validate\nabseiling,-d_e,0,10,val\nzumba,xyz,3,13,train\n'}
HMDB = {'brush_hair_test_split1.txt': 'a b.avi 2 \nc.avi 1 \nd.avi 0 \n',
        'wave_test_split1.txt': 'w.avi 2 \n',
        'brush_hair_test_split2.txt': 'a b.avi 1 \nc.avi 2 \n', 'wave_test_split2.txt': 'w.avi 2\n'}
UCF = {'classInd.txt': '1 ApplyEyeMakeup\n2 YoYo\n', 'testlist01.txt': 'YoYo/v_y.avi\n',
       'testlist02.txt': 'ApplyEyeMakeup/v_a.avi\r\n', 'trainlist01.txt': 'YoYo/v_t.avi 2\n'}


def write(path, content):
    """Write text, or anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def place(folder, *videos):
    """Files that count as videos: there and not empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for video in videos:
        (folder / video).parent.mkdir(parents=True, exist_ok=True)
        (folder / video).write_bytes(b'x')


def run(monkeypatch, *args):
    """Run ``mmbt prepare`` here; return what it would print on stderr, None if it succeeds."""
    return run_command(monkeypatch, 'prepare', *args)
