"""Names of others: nothing on a terminal and in a spreadsheet, and in files as on the disk."""
import csv
import io

import pytest
from mmengine.logging import MMLogger

from mmbt.files.atomic import check_place
from mmbt.files.shown import ANY_NAME, csv_cell, markdown_cell, printable, write_csv


@pytest.mark.parametrize('text, shown', [
    ('plain.mp4', 'plain.mp4'), ('küche 走る.mp4', 'küche 走る.mp4'), ('a\u00a0b', 'a\u00a0b'),
    ('\x1b[31mred\x07', r'\x1b[31mred\x07'), ('a\nb\rc\td', r'a\nb\rc\td'),
    ('\udcff.mp4', r'\udcff.mp4'), ('\ud800', r'\ud800'), ('a\u2028b\u2029c\x85d',
                                                           r'a\u2028b\u2029c\x85d'),
    ('\u202egpj.exe', r'\u202egpj.exe'), ('\ufeffabseiling', r'\ufeffabseiling'), (7, '7')])
def test_what_moves_or_hides_text_is_written_out(text, shown):
    assert printable(text) == shown
    printable(text).encode()


@pytest.mark.parametrize('value, cell', [
    ('=1+1', "'=1+1"), ('+cmd', "'+cmd"), ('-2+3', "'-2+3"), ('@SUM(A1)', "'@SUM(A1)"),
    ('\t=1', r"'\t=1"), ('\r=1', r"'\r=1"), (' =1', "' =1"), ('\uff1d1', "'\uff1d1"),
    ('-0.5', '-0.5'), ('+1e-3', '+1e-3'), (-0.5, -0.5), (None, None), ('a=1', 'a=1'),
    ('video-1.mp4', 'video-1.mp4'), ('-_x.mp4', "'-_x.mp4"), ('', '')])
def test_no_cell_is_a_formula(value, cell):
    assert csv_cell(value) == cell


def test_a_table_is_read_back():
    file = io.StringIO()
    write_csv(file, [('video', 'class'), ('=x, "y".mp4', 'run\nfast'), ('b', 0.5)])
    assert list(csv.reader(io.StringIO(file.getvalue()))) == [
        ['video', 'class'], ["'=x, \"y\".mp4", r'run\nfast'], ['b', '0.5']]


def test_a_name_stays_in_its_cell():
    assert markdown_cell('a|b\n| <b>') == r'a\|b\n\| &lt;b>'


NAME = b'caf\xe9.mp4'.decode('utf-8', 'surrogateescape')


@pytest.mark.parametrize('encoding, written', [
    ('utf-8', b'caf\xe9.mp4 \xc3\xa9 \\ud800'), ('latin-1', b'caf\xe9.mp4 \xe9 \\ud800'),
    ('ascii', b'caf\xe9.mp4 \\xe9 \\ud800')])
def test_a_name_is_written_as_on_the_disk_and_the_rest_escaped(encoding, written):
    data = io.BytesIO()
    with io.TextIOWrapper(data, encoding, ANY_NAME) as file:
        file.write(f'{NAME} é \ud800')
        file.flush()
        assert data.getvalue() == written


def test_reading_is_as_strict_as_ever():
    with pytest.raises(UnicodeDecodeError):
        b'\xe9'.decode('utf-8', ANY_NAME)


def test_for_the_eye():
    assert printable(f'{NAME} é \U0001f600') == 'caf\\udce9.mp4 é \U0001f600'


def test_a_log_file_holds_any_name(tmp_path, capsys):
    logger = MMLogger('any_name', log_file=str(tmp_path / 'a.log'))
    logger.handlers = logger.handlers[1:]  # the screen's
    logger.warning('skipped %s', NAME)
    assert (tmp_path / 'a.log').read_bytes().endswith(b'skipped caf\xe9.mp4\n')
    assert 'Traceback' not in capsys.readouterr().err


def test_a_place_is_looked_at_and_left_as_it_was(tmp_path):
    (tmp_path / 'a').write_text('old')
    check_place(tmp_path / 'a')
    check_place(tmp_path / 'new/b')
    assert (tmp_path / 'a').read_text() == 'old' and list((tmp_path / 'new').iterdir()) == []
    with pytest.raises(OSError, match="'/sys/kernel/a'"):
        check_place('/sys/kernel/a')
