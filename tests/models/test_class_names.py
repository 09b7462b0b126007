"""Class names as words, and as they are."""
import pytest

from mmbt.models import ZeroShotHead
from mmbt.models.class_names import read_classes, to_words


@pytest.mark.parametrize(('name', 'words'), [
    ('ApplyEyeMakeup', 'apply eye makeup'), ('YoYo', 'yo yo'), ('TaiChi', 'tai chi'),
    ('HandstandPushups', 'handstand pushups'), ('Archery', 'archery'), ('TVShow', 'TV show'),
    ('WatchTV', 'watch TV'), ('PlayingMP3Loud', 'playing MP3 loud'), ('brush_hair', 'brush hair'),
    ('ride_horse', 'ride horse'), ('sit', 'sit'), ('Apply_EyeMakeup', 'apply eye makeup'),
    ("massaging person's head", "massaging person's head"), ('dancing Gangnam', 'dancing Gangnam'),
    ('tai chi', 'tai chi')])
def test_words(name, words):
    assert to_words(name) == words
    assert to_words(words) == words


def test_a_class_file_as_words_or_as_it_is(tmp_path):
    path = tmp_path / 'classes.txt'
    path.write_text('YoYo\n\nbrush_hair\nair drumming\n')
    assert read_classes(str(path)) == ['yo yo', 'brush hair', 'air drumming']
    assert read_classes(str(path), 'raw') == ['YoYo', 'brush_hair', 'air drumming']
    assert ZeroShotHead(str(path)).classes == ['yo yo', 'brush hair', 'air drumming']
    assert ZeroShotHead(str(path), class_names='raw').classes[0] == 'YoYo'
    with pytest.raises(ValueError, match="class_names must be 'words' or 'raw', got 'both'"):
        read_classes(str(path), 'both')
    path.write_text('yo yo\nYoYo\n')
    with pytest.raises(ValueError, match="line 2 repeats class 'yo yo' of line 1"):
        read_classes(str(path))
    assert len(read_classes(str(path), 'raw')) == 2
