"""``mmbt search FOLDER 'text'`` alone: what is new is indexed, and the moment is found."""
import csv
import errno
import io
import json
import os
import pty
import re
import select
import shutil
import signal
import sys
from pathlib import Path

import pytest
from PIL import Image

import mmbt
from mmbt.apis import save_pretrained
from mmbt.search.encoder import Encoder
from mmbt.search.lance_table import LanceTable
from mmbt.search.places import cache_folder

from ..support.tools import parse, run
from .colours import save_teller, write_film

pytestmark = pytest.mark.slow

MODEL = ('--model', 'teller.pth', '--device', 'cpu')


@pytest.fixture(scope='module')
def teller(tmp_path_factory):
    """A model of colours and films of three."""
    folder = tmp_path_factory.mktemp('teller')
    save_teller(folder / 'teller.pth')
    save_teller(folder / 'other.pth', seed=1)
    (folder / 'films').mkdir()
    for name, *parts in (('a', ('grey', 20), ('green', 20)), ('b', ('blue', 15), ('grey', 20)),
                         ('c', ('red', 13))):
        write_film(folder / f'films/{name}.mp4', *parts)
    return folder


@pytest.fixture
def home(teller, tmp_path, monkeypatch):
    """The same in a working folder of one's own, with a cache of its own."""
    shutil.copytree(teller, tmp_path / 'home', copy_function=os.link)
    monkeypatch.chdir(tmp_path / 'home')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.delenv('MMBT_TRACEBACK', raising=False)
    return tmp_path / 'home'


@pytest.fixture
def search(home, monkeypatch, capsys):
    """Runs ``mmbt search``; returns its stdout, and its stderr's lines."""
    def run_search(*args):
        capsys.readouterr()
        assert run(monkeypatch, 'search', *args, *MODEL, '--workers', 0) is None
        shown = capsys.readouterr()
        return shown.out, shown.err.splitlines()
    return run_search


def no_encoding(monkeypatch):
    def encode(self, clips):
        raise AssertionError('encoded again')
    monkeypatch.setattr(Encoder, 'videos_and_means', encode)


def test_the_green_minute_of_a_grey_hour_is_found(search, home, monkeypatch):
    film = write_film('hour.mp4', ('grey', 37 * 60), ('green', 60), ('grey', 22 * 60), rate=1,
                      size=16)
    out, said = search(film, 'green', '--json', '--top', 1)
    (hit, ) = json.loads(out)
    assert set(hit) == {'path', 'start', 'end', 'score'} and hit['path'] == str(home / film)
    assert abs(hit['start'] - 37 * 60) <= 6 and abs(hit['end'] - 38 * 60) <= 6  # a stride
    assert said[-1].startswith('hour.mp4: 1 video, 1 of them encoded now (index ')
    no_encoding(monkeypatch)
    again, said = search(film, 'green', '--json', '--top', 1)
    assert again == out
    assert said[-1].startswith('hour.mp4: 1 video, nothing new to encode (index ')


def test_a_folder_takes_in_what_is_new_and_forgets_what_is_gone(search, home, monkeypatch):
    out, said = search('films', 'green', '--top', 1, '--csv', 'out/hits.csv')
    assert re.fullmatch(r'0\.\d{3}  0:1[68]-0:40  films/a\.mp4\n', out)
    assert 'films: 3 videos, 3 of them encoded now' in said[-1]
    with open('out/hits.csv', newline='') as file:
        head, (path, start, end, score) = csv.reader(file)
    assert head == ['path', 'start', 'end', 'score'] and path == 'films/a.mp4'
    assert (float(start), float(end)) == (pytest.approx(18, abs=6), 40) and float(score) > .3

    os.remove('films/b.mp4')
    write_film('films/d.mp4', ('dark', 3), ('green', 30))
    Path('films/broken.mp4').write_text('no video')
    out, said = search('films', 'green', '--top', 9, '--json', '--sheet', 'hits.png')
    assert 'films: 3 videos, 1 of them encoded now' in said[-1] and '1 videos are gone' in said
    found = [os.path.basename(hit['path']) for hit in json.loads(out)]
    assert set(found) == {'a.mp4', 'c.mp4', 'd.mp4'} and set(found[:2]) == {'a.mp4', 'd.mp4'}
    assert Image.open('hits.png').size[0] == 900
    assert sorted(os.listdir('films')) == ['a.mp4', 'broken.mp4', 'c.mp4', 'd.mp4']
    assert len(os.listdir(cache_folder() / 'search')) == 1

    dark, *_ = json.loads(search('films', 'dark', '--without', 'green', '--json')[0])
    assert dark['path'].endswith('d.mp4')
    no_encoding(monkeypatch)  # a folder below, and a file, are asked of the same index
    os.makedirs('films/deep')
    assert search('films/a.mp4', 'green', '--top', 1)[0].endswith('films/a.mp4\n')
    assert len(os.listdir(cache_folder() / 'search')) == 1


def test_copies_of_what_lies_elsewhere_have_an_index_of_their_own(search, home):
    shutil.copytree('films', 'films/again')
    _, said = search('films', 'green')
    assert 'films: 3 videos, 3 of them encoded now' in said[-1]
    out, said = search('films/again', 'green', '--top', 1)
    assert out.endswith('films/again/a.mp4\n') and 'again: 3 videos, 3 of them' in said[-1]
    _, said = search('films/again', 'green')
    assert 'nothing new to encode' in said[-1]


def test_an_index_where_it_is_named_and_as_it_is(search, home, monkeypatch, capsys):
    _, said = search('films', 'green', '--index', 'mine')
    assert said[-1].endswith('(index mine)') and not (cache_folder() / 'search').exists()
    write_film('films/d.mp4', ('green', 30))
    no_encoding(monkeypatch)
    out, said = search('films', 'green', '--index', 'mine', '--as-is')
    assert said[-1].startswith('films: 3 videos, as they were indexed') and 'd.mp4' not in out
    capsys.readouterr()
    assert run(monkeypatch, 'search', 'query', *MODEL, '--index', 'mine', '--text', 'green') is None
    assert capsys.readouterr().out == out


def test_names_that_could_be_something_else(search, home):
    odd = os.fsdecode(b'\xff\xfe of old')
    for name in ('label', 'index', '-films', odd):
        shutil.copytree('films', name)
    for words in (('label', 'green'), ('./index', 'green'), ('index', 'green'),
                  ('./-films', 'green'), (f'{odd}/a.mp4', 'green')):
        out, _ = search(*words, '--top', 1, '--json')
        (hit, ) = json.loads(out)
        assert hit['path'] == str(home / words[0] / 'a.mp4').replace('/a.mp4/', '/')
    out, _ = search('--top', 1, '--json', '--model', 'teller.pth', '--as-is', 'label', 'green')
    assert 'label/a.mp4' in out
    out, _ = search('label', 'films', '--classes', 'green', 'red', '--top', 1)
    assert out.splitlines()[0] == 'films/a.mp4'


@pytest.mark.parametrize('words, found', [
    (('-films', 'x'), None), (('--', '-films', '-text'), ('-films', ['-text'])),
    (('films', '--', '-text'), ('films', ['-text'])),
    (('films', '--top', '3', 'a dog', '--json'), ('films', ['a dog'])),
    (('--time', 'films'), ('films', []))])
def test_words_with_dashes(words, found, capsys):
    if found is None:
        with pytest.raises(SystemExit):
            parse('search', *words)
        return
    args = parse('search', *words)
    assert (args.videos, args.text, args.model) == (*found, 'clip-vit-l-14')


def test_the_sub_commands_take_a_model_or_a_config_and_a_checkpoint():
    args = parse('search index', 'c.py', 'w.pth', '--device', 'cpu', 'a', '--index', 'i', '--',
                 '-b.mp4')
    assert (args.config, args.model, args.weights, args.words) == (
        'c.py', 'c.py', 'w.pth', ['a', '-b.mp4'])
    args = parse('search index', 'a', '--index', 'i', '--model', 'branch.pth', 'b.py')
    assert (args.config, args.model, args.words) == (None, 'branch.pth', ['a', 'b.py'])
    args = parse('search label', '--model', 'c.py', '--weights', 'w', 'a', '--classes', 'x', 'y')
    assert (args.config, args.weights, args.words, args.classes) == ('c.py', 'w', ['a'], ['x', 'y'])
    assert parse('search query', '--index', 'i', '--text', 'a').model == 'clip-vit-l-14'
    for words in (('search index', '--index', 'i'), ('search index', 'c.py', '--index', 'i'),
                  ('search query', 'a', '--index', 'i'), ('search', )):
        with pytest.raises(SystemExit):
            parse(*words)


def test_labels_over_time(search, home):
    out, _ = search('label', 'films/a.mp4', '--classes', 'green', 'grey', 'red', '--over-time',
                    '--json', '--top', 2, '--csv', 'labels.csv')
    windows = json.loads(out)
    assert [(each['start'], each['end']) for each in windows] == [
        (0, 12), (6, 18), (12, 24), (18, 30), (24, 36), (28, 40)]
    best = [each['labels'][0]['name'] for each in windows]
    assert best[:2] == ['grey'] * 2 and best[3:] == ['green'] * 3
    assert all(len(each['labels']) == 2 and each['path'] == str(home / 'films/a.mp4')
               for each in windows)
    with open('labels.csv', newline='') as file:
        head, *rows = csv.reader(file)
    assert head == ['video', 'start', 'end', 'rank', 'class', 'probability']
    assert [row[4] for row in rows if row[3] == '1'] == best and rows[2][1:3] == ['6.000', '18.000']
    lines = search('label', 'films/a.mp4', '--classes', 'green', 'grey', '--over-time')[0]
    assert lines.splitlines()[0] == 'films/a.mp4'
    assert re.fullmatch(r'  0:28-0:40  \d\.\d{3} green, \d\.\d{3} grey', lines.splitlines()[-1])
    (whole, ) = json.loads(search('label', 'films/c.mp4', '--classes', 'red', 'grey', '--json')[0])
    assert set(whole) == {'path', 'labels'} and whole['labels'][0]['name'] == 'red'


def test_the_shell_answers_line_after_line(search, home, monkeypatch):
    loads, load = [], mmbt.load
    monkeypatch.setattr('mmbt.load', lambda *args, **how: loads.append(args) or load(*args, **how),
                        raising=False)
    lines = ['green', '', ':help', ':top 1', ':json', 'blue', ':what', ':top 0', ':time', 'green',
             ':time', ':without green', 'green', ':without', os.fsdecode(b'gr\xfcn'), ':new',
             'green', ':quit', 'red']
    monkeypatch.setattr('sys.stdin', io.StringIO('\n'.join(lines)))
    out, said = search('films')
    first, *more = out.splitlines()
    assert len(loads) == 1 and first.endswith('films/a.mp4')
    answers = [json.loads(line) for line in more if line.startswith('[')]
    assert [Path(hit['path']).name for hit, in answers] == ['b.mp4', 'a.mp4']
    errors = [line for line in said if line.startswith('error: ')]
    for line, words in zip(errors, (
            ':what is no command of the shell', ':top 0 is no command', "the mode 'time' needs",
            'nothing is left of the query', 'is no UTF-8'), strict=True):
        assert words in line
    assert any(line.startswith('  :quit') for line in said)
    assert sum(bool(re.fullmatch(r'\d+ moments in \d+ ms', line)) for line in said) == 3
    assert sum('nothing new to encode' in line for line in said) == 1
    monkeypatch.setattr('sys.stdin', io.StringIO('red\n'))
    out, _ = search('films', 'green', '--shell', '--top', 1, '--as-is')
    assert [line[-5] for line in out.splitlines()] == ['a', 'c']


@pytest.mark.parametrize('last', [b'\x04', b'\x03'])
def test_the_shell_on_a_terminal_ends_cleanly(search, home, last):
    search('films', 'green')
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdin, sys.stdout, sys.stderr = (open(number, mode)
                                             for number, mode in enumerate('rww'))
        with pytest.MonkeyPatch.context() as patch:
            code = run(patch, 'search', 'films', *MODEL, '--top', 1)
        print(f'ended with {code}', flush=True)
        os._exit(0)
    said, typed = b'', b''
    for wanted, answer in ((b'> ', b'green\n'), (b'a.mp4', b''), (b'> ', last),
                           (b'ended with None', b'')):
        while wanted not in said:
            if select.select([terminal], [], [], 1)[0]:
                said += os.read(terminal, 4096)
            else:  # it came before readline was ready
                os.write(terminal, typed)
        said, typed = said.split(wanted, 1)[1], answer
        os.write(terminal, typed)
    assert os.waitpid(child, 0)[1] == 0
    os.close(terminal)


def test_a_disk_that_fills_up_leaves_what_is_there(search, home, monkeypatch):
    before, _ = search('films', 'green', '--json')
    write_film('films/d.mp4', ('green', 30))

    def full(self, rows):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.index))

    with monkeypatch.context() as patch:
        patch.setattr(LanceTable, 'append', full)
        line = run(patch, 'search', 'films', 'green', *MODEL, '--workers', 0)
    assert re.fullmatch(r'error: /[^\n]*/cache/mmbt/search/films-\w+: No space left on device; '
                        r'free some space, or write elsewhere \(MMBT_TRACEBACK=1 shows where\)',
                        line)
    assert search('films', 'green', '--json', '--as-is')[0] == before
    out, said = search('films', 'green', '--json', '--top', 9)
    assert '4 videos, 1 of them encoded now' in said[-1] and 'd.mp4' in out


def test_the_model_by_any_name(search, home, monkeypatch):
    """A folder of ``save_pretrained`` is the checkpoint's model, so that its index is the same."""
    out, _ = search('films', 'green', '--json')
    save_pretrained(mmbt.load('teller.pth'), 'whole', whole=True)
    no_encoding(monkeypatch)
    assert search('films', 'green', '--json', '--model', './whole')[0] == out


@pytest.mark.parametrize('args, line', [
    (('films', 'green', '--model', 'other.pth', '--index', 'mine'),
     'index mine was made by another model'),
    (('empty', 'green'), 'no videos in empty: no file below ends in .mp4'),
    (('nowhere', 'green'), 'nowhere is missing: name videos, or folders'),
    (('films', ' '), "a text to compare videos with is empty or no text: ' '"),
    (('films', 'a', 'green', 'light'), 'one text in quotes: after films came 3 words, a green'),
    (('films', 'green', '--shell', '--csv', 'a.csv'), '--csv and --sheet keep the answer to one'),
    (('films', 'green', '--top', 0), 'top must be at least 1'),
    (('films', '--without', 'green'), "a query needs a text, a video or an image to look for, bes"),
    (('films', 'green', '--index', 'teller.pth'), '--index teller.pth is a file'),
    (('films', 'green', '--as-is', '--index', 'none'), 'leave --as-is out to index it'),
    (('films', 'green', '--csv', '/sys/kernel/a.csv'), '/sys/kernel/a.csv: '),
    (('broken', 'green'), 'none of the 1 videos in '),
    (('broken', 'green', '--on-broken', 'error'), 'cannot be opened'),
    (('films', 'green', '--time'), "the mode 'time' needs a branch beside"),
    (('films', 'green', '--model', 'clip-vit-l-14'),
     "cannot be fetched: fetch them once with a network, name a file of them with --clip, or"),
    (('films', 'green', '--model', 'clip-vit-l-41'), 'names no model: the nearest names are'),
    (('index', 'films', '--index', 'i', '--cfg-options', 'a=1'), '--cfg-options goes with a'),
    (('films', 'green', '--model', 'teller.pth', '--weights', 'teller.pth'), 'weights= goes with'),
])
def test_bad_input_is_one_line(home, monkeypatch, args, line):
    Path('empty').mkdir()
    Path('broken').mkdir()
    Path('broken/a.mp4').write_text('no video')
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    if 'mine' in args:
        assert run(monkeypatch, 'search', 'films', 'green', *MODEL, '--index', 'mine') is None
    model = MODEL[2:] if '--model' in args else MODEL
    message = run(monkeypatch, 'search', *args, *model)
    assert message.startswith('error: ') and '\n' not in message
    assert line in message


@pytest.mark.parametrize('text, line', [
    ('собака бежит по снегу', "breaks 'собака бежит по снегу' up into"),
    ('green ' * 30, 'is too long: the model reads its first 14 tokens of 30')])
def test_a_text_that_is_not_read_as_meant_is_told_beside_the_answer(search, text, line):
    out, said = search('films', text, '--json')
    assert json.loads(out) and sum(line in each for each in said) == 1
