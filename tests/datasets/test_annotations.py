"""Readers of annotation files: what they return, and what they say of a malformed file."""
import json

import pytest

from mmbt.datasets.annotations import read_captions, read_labels
from mmbt.models.class_names import read_classes


def write(path, content):
    """Write text, or anything else as JSON."""
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


LSMDC_CLIP = '1004_American_Beauty_00.00.51.926-00.00.54.129'
FORMS = [
    ('dict', {'b.mp4': ['one', 'two'], 'a.mp4': ['three']},
     [('b.mp4', ['one', 'two']), ('a.mp4', ['three'])]),
    ('list', [{'video': 'b.mp4', 'caption': 'one'}, {'video': 'a.mp4', 'caption': ['x', 'y']},
              {'video': 'b.mp4', 'caption': 'two'}],
     [('b.mp4', ['one', 'two']), ('a.mp4', ['x', 'y'])]),
    ('json', {'b.mp4': ['one']}, [('b.mp4', ['one'])]),
    ('json', [{'video': 'b.mp4', 'caption': 'one'}], [('b.mp4', ['one'])]),
    ('webvid', 'videoid,name,page_idx,page_dir,duration,contentUrl\n'
               '21,"A cat, asleep",3,000001_000050,PT00H00M10S,https://v/21.mp4\n',
     [('000001_000050/21.mp4', ['A cat, asleep'])]),
    ('webvid', 'videoid,contentUrl,duration,page_dir,name\n'
               '7,https://v/7.mp4,PT00H00M10S,p,"Two\nlines"\n8,u,d,p,Dog\n',
     [('p/7.mp4', ['Two\nlines']), ('p/8.mp4', ['Dog'])]),
    ('msrvtt', 'key,vid_key,video_id,sentence\nret0,msr9770,video9770,a person, folding\n',
     [('video9770.mp4', ['a person'])]),
    ('lsmdc', f'{LSMDC_CLIP}\t00.00.51.926\t00.00.54.129\t00.00.51.426\t00.00.54.629\tSOMEONE sits.'
              f'\n\n{LSMDC_CLIP}\t1\t2\t3\t4\tHe smiles.\n',
     [(f'1004_American_Beauty/{LSMDC_CLIP}.avi', ['SOMEONE sits.', 'He smiles.'])]),
]


@pytest.mark.parametrize(('form', 'content', 'expected'), FORMS)
def test_published_forms(tmp_path, form, content, expected):
    entries = read_captions(write(tmp_path / 'ann', content), form)
    assert [(entry['video'], entry['captions']) for entry in entries] == expected


MALFORMED = [
    ('dict', '', 'is empty'),
    ('dict', '{"a.mp4": ["x"],\n oops}', 'line 2 is not valid JSON'),
    ('dict', ['a'], 'must hold a JSON dict but holds a list'),
    ('list', {'a': ['b']}, 'must hold a JSON list but holds a dict'),
    ('json', '"text"', 'must hold a JSON dict or list but holds a str'),
    ('dict', {}, 'holds an empty dict'),
    ('dict', {'a.mp4': ['x', 7]}, "a caption of video 'a.mp4' is not text: 7"),
    ('dict', {'a.mp4': None}, "caption of video 'a.mp4' must be text or a list"),
    ('dict', {'a.mp4': []}, "caption of video 'a.mp4' must be text or a list"),
    ('list', [{'video': 'a.mp4', 'caption': 'x'}, {'video': 'b.mp4'}], 'entry 1 must be an object'),
    ('list', [{'video': 'a.mp4', 'caption': {'en': 'x'}}], "caption of video 'a.mp4'"),
    ('list', [{'video': 3, 'caption': 'x'}], "entry 0: 'video' must be a file name"),
    ('webvid', 'videoid,page_dir\n1,p\n', 'has no column name'),
    ('webvid', 'videoid,page_dir,name\n1,p,a cat\n2,p\n', 'line 3 lacks a value of name'),
    ('webvid', 'videoid,page_dir,name\n', 'a header and no rows'),
    ('lsmdc', 'clip\t0\t1\t2\t3\tSits.\nclip\tStands.\n', 'line 2 has 2 tab-separated columns'),
    ('rows', '{}', "no annotation form 'rows'"),
]


@pytest.mark.parametrize(('form', 'content', 'message'), MALFORMED)
def test_malformed_file_gives_one_line_naming_it(tmp_path, form, content, message):
    path = write(tmp_path / 'ann', content)
    with pytest.raises(ValueError) as error:
        read_captions(path, form)
    assert message in str(error.value)
    assert '\n' not in str(error.value)
    assert form == 'rows' or path in str(error.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='gone.json is missing'):
        read_captions(str(tmp_path / 'gone.json'), 'dict')
    (tmp_path / 'zip.json').write_bytes(b'PK\x03\x04\xff\xfe')
    with pytest.raises(ValueError, match='zip.json is not UTF-8 text'):
        read_captions(str(tmp_path / 'zip.json'), 'dict')


@pytest.mark.parametrize(('content', 'delimiter', 'base'), [
    ('run/a b.avi 0\n\nsit/c.avi 12\n', ' ', 0), ('run/a b.avi\t1\r\nsit/c.avi\t13', '\t', 1)])
def test_labels_count_from_zero(tmp_path, content, delimiter, base):
    items = read_labels(write(tmp_path / 'list.txt', content), delimiter, base)
    assert [(item['video'], item['label']) for item in items] == [('run/a b.avi', 0),
                                                                  ('sit/c.avi', 12)]
    assert items[0]['line'] == 1


@pytest.mark.parametrize(('content', 'base', 'message'), [
    ('a.avi 0\nb.avi\n', 0, 'line 2 must be a path'),
    ('a.avi x\n', 0, 'line 1 must be a path'),
    ('a.avi -1\n', 0, 'line 1 must be a path'),
    ('a.avi 1\nb.avi 0\n', 1, 'line 2 has label 0, below label_base 1'),
    ('\n \n', 0, 'is empty')])
def test_malformed_label_line(tmp_path, content, base, message):
    with pytest.raises(ValueError, match=message):
        read_labels(write(tmp_path / 'list.txt', content), ' ', base)


def test_classes(tmp_path):
    assert read_classes(write(tmp_path / 'c.txt', 'brush hair\n cartwheel \n')) == ['brush hair',
                                                                                   'cartwheel']
    with pytest.raises(ValueError, match="line 3 repeats class 'run' of line 1"):
        read_classes(write(tmp_path / 'c.txt', 'run\nsit\nrun\n'))
    with pytest.raises(FileNotFoundError, match='class file .*gone.txt is missing'):
        read_classes(str(tmp_path / 'gone.txt'))
