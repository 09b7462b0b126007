"""What names of others do on a terminal and in a spreadsheet: nothing."""
import csv
import io

import pytest

from mmbt.files.shown import csv_cell, markdown_cell, printable, write_csv


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
