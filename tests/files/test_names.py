"""Names that are not UTF-8, in files, in logs and for the eye."""
import io

import pytest
from mmengine.logging import MMLogger

import mmbt  # noqa: F401
from mmbt.files.atomic import check_place
from mmbt.files.names import ANY_NAME
from mmbt.files.shown import printable

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
