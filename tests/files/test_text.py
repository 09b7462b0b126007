"""Text files of others: encodings, ends of lines, JSON and tables, and how each is refused."""
import ast
import json
from pathlib import Path

import pytest

from mmbt.files import json_text, shown, tables, text
from mmbt.files.json_text import DEEPEST, parse_json, read_json
from mmbt.files.tables import read_rows, read_table
from mmbt.files.text import read_lines, read_text

SEPARATORS = '\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e'  # where str.splitlines splits, and no file does


@pytest.fixture
def write(tmp_path):
    """A function that writes bytes, or text as UTF-8, and returns the path."""
    def file(content, name='file.txt'):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / name
    return file


@pytest.mark.parametrize('bom', ['', '\ufeff'])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_lines_end_with_lf_crlf_or_cr_alone(write, bom, end):
    path = write(bom + end.join(['one', '', f'two{SEPARATORS}two', ' three ']) + end)
    assert list(read_lines(path)) == [(1, 'one'), (3, f'two{SEPARATORS}two'), (4, ' three ')]
    assert not read_text(path).startswith('\ufeff')


@pytest.mark.parametrize('end', [b'\n', b'\r\n', b'\r'])
@pytest.mark.parametrize('read', [read_text, lambda path: list(read_lines(path)), read_json,
                                  lambda path: list(read_rows(path))])
def test_latin_1_is_named_with_file_line_and_remedy(write, read, end):
    path = write(b'{"a":' + end + b'1,' + end + 'caf\u00e9'.encode('latin-1') + b'"' + end)
    with pytest.raises(ValueError, match='file.txt is not UTF-8 text: line 3 holds the byte 0xe9; '
                       '.*iconv -f LATIN1 -t UTF-8') as caught:
        read(path)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('content, words', [
    ('[1]'.encode('utf-16'), 'UTF-16: convert it with iconv -f UTF-16'),
    (b'[1,\n"\x00"]', 'line 2 holds a NUL'), (b' \r\n\t', 'is empty'), (b'', 'is empty'),
    (b'\xef\xbb\xbf', 'is empty'), (b'\xef\xbb\xbf\n[', 'line 2 is not valid JSON')])
def test_what_is_no_text_is_one_line(write, content, words):
    with pytest.raises(ValueError, match=f'file.txt .*{words}'):
        read_json(write(content))


def test_sizes_are_bounded(write, monkeypatch):
    with pytest.raises(ValueError, match='has 7 bytes, more than the 6 that are read'):
        read_json(write('[1,  2]'), most=6)
    monkeypatch.setattr(text, 'LONGEST_LINE', 10)
    with pytest.raises(ValueError, match='line 2 is longer than 10 characters'):
        list(read_lines(write('short\n' + 'x' * 10)))
    assert len(list(read_lines(write('short\n' + 'x' * 9)))) == 2


def test_a_folder_and_a_file_that_is_missing(tmp_path):
    with pytest.raises(ValueError, match='table .* is a folder: name a file'):
        list(read_lines(tmp_path, 'table'))
    with pytest.raises(FileNotFoundError, match='table .*no.txt is missing: put it there or set x'):
        list(read_lines(tmp_path / 'no.txt', 'table', 'x'))


@pytest.mark.parametrize('kind', ['[', '{"a":'])
def test_depth_is_bounded(write, kind):
    close = {'[': ']', '{"a":': '}'}[kind]
    whole = kind * DEEPEST + '1' + close * DEEPEST
    assert read_json(write(whole)) == json.loads(whole)
    deeper = kind * (DEEPEST + 1) + '1' + close * (DEEPEST + 1)
    for content in (deeper, kind * 100_000, kind * 900 + '1' + close * 900):
        with pytest.raises(ValueError, match='file.txt.* is nested .*deep'):
            read_json(write(content))


@pytest.mark.parametrize('escaped, line', [
    (r'["\ud83d"]', 1), ('["x",\n"\\uDC00"]', 2), (r'["\ud83d\ud83d\ude00"]', 1),
    (r'["\ud83dx\ude00"]', 1), (r'{"\udfff": 1}', 1), (r'["\\\ud800"]', 1)])
def test_half_a_character_is_named_with_its_line(write, escaped, line):
    with pytest.raises(ValueError, match=rf'file.txt line {line} holds \\u[dD].*half of a charact'):
        read_json(write(escaped))


def test_whole_characters_are_read(write):
    assert read_json(write(r'["\ud83d\ude00", "\\ud800", "\\\\ud800"]')) == [
        '\U0001f600', r'\ud800', r'\\ud800']


@pytest.mark.parametrize('digits', [str(2**64), str(-2**63 - 1), '1' + '0' * 400, '9' * 5_000],
                         ids=len)
def test_numbers_are_bounded(write, digits):
    with pytest.raises(ValueError, match='file.txt holds the whole number -?[0-9]+..., which does'):
        read_json(write(f'[{digits}]'))


def test_numbers_that_fit_are_read(write):
    values = read_json(write(f'[{2**64 - 1}, {-2**63}, 1e999, NaN, -Infinity, 0.5]'))
    assert values[:3] == [2**64 - 1, -2**63, float('inf')] and values[3] != values[3]
    assert values[4:] == [-float('inf'), 0.5]


def test_keys_that_occur_twice_are_counted_and_kept(write):
    lines = []
    content = read_json(write('{"a": 1, "b": {"c": 1, "c": 2, "c": 3}, "a": 4}'),
                        report=lines.append)
    assert content == {'a': 4, 'b': {'c': 3}}
    assert content.pairs == [('a', 1), ('b', {'c': 3}), ('a', 4)]
    line, = lines
    assert "file.txt: 2 keys occur twice in one object, such as 'c'; the last of each" in line


def test_keys_that_occur_twice_are_counted_soon(write):
    """All of 200,000 keys: each would be compared with each in hours."""
    lines = []
    keys = ', '.join(f'"{key}": 0' for key in range(100_000))
    assert len(read_json(write(f'{{{keys}, {keys}}}'), report=lines.append)) == 100_000
    assert '100,000 keys occur twice' in lines[0]


def test_json_lines_are_known_by_their_name(write):
    lines = '{"a": 1}\r\n\n[2]\n"\u2028"\n'
    for name in ('x.jsonl', 'x.ndjson', 'x.JSONL'):
        assert read_json(write(lines, name)) == [{'a': 1}, [2], '\u2028']
    with pytest.raises(ValueError, match='x.json line 3 is not valid JSON: Extra data; is it JSON'):
        read_json(write(lines, 'x.json'))
    with pytest.raises(ValueError, match='x.jsonl line 2 is not valid JSON'):
        read_json(write('1\n{', 'x.jsonl'))
    with pytest.raises(ValueError, match='must hold a JSON dict but holds a list'):
        read_json(write(lines, 'x.jsonl'), dict)


def test_a_table_is_read_by_commas_or_tabs(write):
    rows = [(3, ['x,1', f'two\nlines{SEPARATORS}']), (5, ['', '2'])]
    quoted = f'b,a,c\r\n"two\nlines{SEPARATORS}","x,1",0\r\n\r\n2,,0\r\n'
    assert list(read_table(write('\ufeff' + quoted, 't.csv'), ('a', 'b'))) == rows
    tabbed = quoted.replace('x,1', 'x;1').replace(',', '\t').replace(';', ',')
    assert list(read_table(write(tabbed, 't.tsv'), ('a', 'b'))) == rows


@pytest.mark.parametrize('content, words', [
    ('a\n1\n', 'has no column b: its header is'), ('a,b,b\n1,2,3\n', 'has two columns b'),
    ('a,b\n1,2\n3\n', 'line 3 lacks a value of b'), ('a,b\n', 'a header and no rows'),
    ('a,b\n1,2\n3,"4\n5,6\n', 'line 3 opens a quote that is not closed'),
    ('a,b\n1,"2\n' + '3,4\n' * 200, 'line 2 opens a quote that is not closed'),
    ('a,b\n1,"2\n' + '3,4\n' * 200 + '5,"6"\n7,8\n', 'line 2 opens a quote that is not closed'),
    ('a,b\n1,' + 'x' * 200_000, 'line 2 is not a row of a table: field larger')])
def test_a_malformed_table_is_one_line(write, content, words):
    with pytest.raises(ValueError, match=f't.csv .*{words}') as caught:
        list(read_table(write(content, 't.csv'), ('a', 'b')))
    assert '\n' not in str(caught.value)


def test_a_text_by_itself_is_named_as_its_caller_says():
    with pytest.raises(ValueError, match=r'^reply 3 is not valid JSON'):
        parse_json('{', 'reply 3')
    assert tables.delimiter_of('x.TSV') == '\t' and json_text.is_json('a.NDJSON')


@pytest.mark.parametrize('module', [text, tables, json_text, shown], ids=lambda each: each.__name__)
def test_they_need_python_alone(module):
    tree = ast.parse(Path(module.__file__).read_text(encoding='utf-8'))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import)
             for alias in node.names}
    names |= {node.module for node in ast.walk(tree)
              if isinstance(node, ast.ImportFrom) and not node.level}
    assert names <= {'codecs', 'collections', 'collections.abc', 'csv', 'functools', 'json',
                     'logging', 'os', 'os.path', 're', 'typing', 'unicodedata'}
