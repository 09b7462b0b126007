"""A thousand clips of which fifty are odd: a training epoch, and evaluations that may go on."""
import json
import multiprocessing
import os
import random
import re
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmaction.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..datasets.conftest import AUDIO_ONLY, write_video
from .killed_runs import ARCH

pytestmark = pytest.mark.slow

TOTAL, EACH, WORKERS, BATCH = 1000, 5, 3, 20
CLASSES = [f'class {letter}' for letter in 'abcdefgh']


def copies(folder, kind, *sources):
    """Give each kind its five files, links to the sources in turn."""
    names = []
    for number in range(EACH):
        source = sources[number % len(sources)]
        names.append(f'{kind}_{number}{source.suffix}')
        os.link(source, folder / names[-1])
    return names


def odd_clips(folder):
    """Write five files of each of ten odd kinds; return the names by kind."""
    first = folder / 'first'
    first.mkdir()
    mp4, avi = write_video(first / 'a.mp4'), write_video(first / 'a.avi', codec='MJPG')
    for whole in (mp4, avi):
        data = whole.read_bytes()
        (first / f'cut{whole.suffix}').write_bytes(data[:len(data) // 2])
    for name, codec in (('none.mp4', 'mp4v'), ('none.avi', 'MJPG')):
        write_video(first / name, num_frames=0, codec=codec)
    (first / 'empty.mp4').touch()
    (first / 'text.mp4').write_text('not a video\n' * 50)
    (first / 'noise.mp4').write_bytes(random.Random(0).randbytes(5000))
    with zipfile.ZipFile(first / 'archive.mp4', 'w') as archive:
        archive.write(mp4)
    cv2.imwrite(str(first / 'still.png'), np.zeros((48, 64, 3), np.uint8))
    (first / 'still.png').rename(first / 'still.mp4')
    shutil.copy(mp4, first / 'video.jpg')
    shutil.copy(AUDIO_ONLY, first / 'audio.mp4')
    huge = write_video(first / 'huge.avi', 1, (6000, 6000), codec='MJPG')
    one = write_video(first / 'one.mp4', 1)
    (folder / 'unreadable_0.mp4').mkdir()
    os.mkfifo(folder / 'unreadable_1.mp4')
    (folder / 'unreadable_2.mp4').symlink_to(folder / 'nowhere.mp4')
    (folder / 'unreadable_3.mp4').symlink_to(folder / 'unreadable_3.mp4')
    (folder / 'unreadable_4.mp4').symlink_to('/dev/zero')
    return dict(
        missing=[f'missing_{number}.mp4' for number in range(EACH)],
        empty=copies(folder, 'empty', first / 'empty.mp4'),
        truncated=copies(folder, 'truncated', first / 'cut.mp4', first / 'cut.avi'),
        audio=copies(folder, 'audio', first / 'audio.mp4'),
        extension=copies(folder, 'extension', first / 'still.mp4', first / 'video.jpg'),
        no_frames=copies(folder, 'no_frames', first / 'none.mp4', first / 'none.avi'),
        one_frame=copies(folder, 'one_frame', one),
        enormous=copies(folder, 'enormous', huge),
        unreadable=[f'unreadable_{number}.mp4' for number in range(EACH)],
        no_video=copies(folder, 'no_video', first / 'text.mp4', first / 'noise.mp4',
                        first / 'archive.mp4'))


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    """The folder, the names of all clips in random order, and of those that cannot be read."""
    folder = tmp_path_factory.mktemp('clips')
    kinds = odd_clips(folder)
    assert len(kinds) == 10
    whole = [write_video(folder / 'first' / f'{size}.mp4', 12, (size, 48))
             for size in (64, 80, 96, 112)]
    odd = [name for names in kinds.values() for name in names]
    good = [f'clip_{number}.mp4' for number in range(TOTAL - len(odd))]
    for number, name in enumerate(good):
        os.link(whole[number % len(whole)], folder / name)
    names = [*odd, *good]
    random.Random(0).shuffle(names)
    return folder, names, {name for name in odd if not name.startswith('one_frame')}


def processes():
    """Each of our data-loading processes, and ourselves, with how many files it has open."""
    pids = [child.pid for child in multiprocessing.active_children()]
    return {pid: len(os.listdir(f'/proc/{pid}/fd')) for pid in [os.getpid(), *pids]}


def memory(pid, kind):
    """What a process holds (VmRSS), or the most that it ever held (VmHWM), in GB."""
    kilobytes, = re.findall(rf'{kind}:\s+(\d+) kB', Path(f'/proc/{pid}/status').read_text())
    return int(kilobytes) / 1e6


@HOOKS.register_module(force=True)
class CountOpenFiles(Hook):
    """Keeps every iteration's count of open files, and what the workers needed at most.

    A worker begins with no more than the memory of the process that it is a fork of.
    """

    seen, needed = [], []

    def before_train(self, runner):
        self.inherited = memory(os.getpid(), 'VmRSS')

    def after_train_iter(self, runner, batch_idx, **kwargs):
        self.seen.append(processes())
        if batch_idx == TOTAL // BATCH - 1:
            self.needed[:] = [memory(pid, 'VmHWM') - self.inherited for pid in self.seen[-1]
                              if pid != os.getpid()]


def pipeline(**kwargs):
    return [dict(type='ReadFrames', num_frames=8, **kwargs),
            dict(type='Resize', scale=(12, 12), keep_ratio=False),
            dict(type='TokenizeText', context_length=8, caption='all'),
            dict(type='FormatShape', input_format='NCHW'), dict(type='PackVideoText')]


def config(work_dir, **kwargs):
    arch = dict(ARCH, text_cfg=dict(ARCH['text_cfg'], vocab_size=49408))
    model = dict(
        type='VideoTextModel', trunk=dict(type='OpenCLIPTrunk', arch=arch),
        backbone=dict(type='BTAdapter', num_layers=2, num_frames=8),
        heads=[dict(type='VTCHead', temperature=0.1)],
        cls_head=dict(type='ZeroShotHead', classes=CLASSES, arch=arch, context_length=8))
    return Config(dict(default_scope='mmaction', model=model, work_dir=str(work_dir),
                       randomness=dict(seed=0), experiment_name=str(work_dir).replace('/', '_'),
                       **kwargs))


def run(config, method):
    """Run, and return what the log file holds and what the method returns."""
    runner = Runner.from_cfg(config)
    result = getattr(runner, method)()
    log, = Path(config.work_dir).glob('*/*.log')
    return log, result


def named(text):
    """The files that a text names, in its order."""
    return [Path(path).name for path in re.findall(r'(\S+\.(?:mp4|avi|jpg)) (?:is|hold|cannot|has)',
                                                   text)]


def test_training_ends_and_names_each_broken_clip_once(clips, tmp_path):
    folder, names, broken = clips
    (folder / 'train.json').write_text(json.dumps({name: ['a ball'] for name in names}))
    dataset = dict(type='CaptionedVideos', ann_file=str(folder / 'train.json'),
                   data_prefix=dict(video=str(folder)), pipeline=pipeline())
    CountOpenFiles.seen.clear()
    log, _ = run(config(
        tmp_path, train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1),
        train_dataloader=dict(batch_size=BATCH, num_workers=WORKERS, dataset=dataset,
                              sampler=dict(type='DefaultSampler', shuffle=True)),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-4)),
        custom_hooks=[dict(type='BrokenVideoHook'), dict(type='CountOpenFiles')]), 'train')
    lines = [line for line in log.read_text().splitlines() if 'skipped a broken video' in line]
    assert len(broken) == 45
    assert sorted(named('\n'.join(lines))) == sorted(broken)
    assert '45 broken videos skipped so far; each is named above' in log.read_text()

    seen = CountOpenFiles.seen
    assert len(seen) == TOTAL // BATCH
    assert all(set(counts) == set(seen[0]) and len(counts) == 1 + WORKERS for counts in seen)
    for pid in seen[0]:
        early, late = ([counts[pid] for counts in part] for part in (seen[:10], seen[-10:]))
        # Batches on their way hold some; a leak of one a step would leave 100 more.
        assert min(late) <= max(early), pid
    assert max(CountOpenFiles.needed) < 0.5
    assert not multiprocessing.active_children()


def test_one_frame_is_a_clip(clips):
    from mmbt.datasets import ReadFrames
    results = ReadFrames(num_frames=8)(dict(filename=str(clips[0] / 'one_frame_0.mp4')))
    assert results['total_frames'] == 1 and len(results['imgs']) == 8
    assert all((img == results['imgs'][0]).all() for img in results['imgs'])


def evaluate(clips, work_dir, names, kind, **kwargs):
    """Test on some of the clips, in two workers; return the log file and the metrics."""
    folder = clips[0]
    names = sorted(names)
    steps = pipeline(test_mode=True)
    if kind == 'retrieval':
        (work_dir / 'ann').write_text(json.dumps(
            {name: [f'ball {name}', f'{name} box'] for name in names}))
        dataset = dict(type='CaptionedVideos')
        evaluator = dict(type='VideoTextRetrieval')
        batch_size = 1  # ties of equal clips are not to depend on what else is in their batch
    else:
        del steps[2]
        (work_dir / 'ann').write_text(''.join(f'{name} {len(name) % 8}\n' for name in names))
        (work_dir / 'classes').write_text('\n'.join(CLASSES))
        dataset = dict(type='LabelledVideos', class_file=str(work_dir / 'classes'))
        evaluator = dict(type='ScoredAccMetric')
        batch_size = 8
    dataset.update(ann_file=str(work_dir / 'ann'), data_prefix=dict(video=str(folder)),
                   pipeline=steps, test_mode=True, **kwargs)
    return run(config(
        work_dir / 'run', test_cfg=dict(type='TestLoop'), test_evaluator=evaluator,
        test_dataloader=dict(batch_size=batch_size, num_workers=2, dataset=dataset,
                             sampler=dict(type='DefaultSampler', shuffle=False)),
        custom_hooks=[dict(type='ClassPromptHook')]), 'test')


@pytest.mark.parametrize('kind', ['retrieval', 'acc'])
def test_evaluation_that_may_go_on(clips, tmp_path, kind):
    """Of 100 clips with all that are broken, 55 are scored, as if there were no others."""
    _, names, broken = clips
    readable = [name for name in names if name not in broken][:100 - len(broken)]
    first, second = tmp_path / 'with', tmp_path / 'without'
    first.mkdir()
    second.mkdir()
    log, metrics = evaluate(clips, first, [*broken, *readable], kind, on_broken='skip')
    assert (metrics.pop(f'{kind}/scored'), metrics.pop(f'{kind}/total')) == (55, 100)
    listing = log.with_name(f'unscored_{kind}.txt')
    line, = [line for line in log.read_text().splitlines() if 'test videos' in line]
    assert f'{kind}: 100 test videos: 55 scored, 45 not (all in {listing}): ' in line
    assert named(line.split('): ')[1]) == named(listing.read_text()) == sorted(broken)

    log, without = evaluate(clips, second, readable, kind)
    assert (without.pop(f'{kind}/scored'), without.pop(f'{kind}/total')) == (55, 55)
    assert metrics == pytest.approx(without) and metrics
    assert 'test videos' not in log.read_text()
    assert not log.with_name(f'unscored_{kind}.txt').exists()


def test_evaluation_that_may_not_go_on_names_the_first(clips, tmp_path):
    names = ['audio_0.mp4', 'clip_1.mp4', 'missing_0.mp4']
    with pytest.raises(ValueError, match=r"audio_0\.mp4 cannot be decoded: .* to score the other "
                       r"videos, set on_broken='skip' in the dataset"):
        evaluate(clips, tmp_path, names, 'retrieval')
