"""``mmbt convert``, and what it writes in MMAction2's own tools."""
import json
import re

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from ...support.forked import run_script
from ...support.tools import run
from .files import PARITY, ROOT, arch_file, clip_shapes, filled, save

pytestmark = pytest.mark.slow


def test_it_runs_from_any_folder(tmp_path, monkeypatch):
    arch_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    code, lines = run_script(ROOT / 'tools/convert_checkpoint.py', PARITY / 'gated.pth',
                             'new/out.pth', '--arch', 'arch.json')
    assert code == '0', lines
    said = '\n'.join(lines)
    for part in ("pretraining beside OpenAI's CLIP", 'CLIP vision: 316,672 weights',
                 'CLIP text: 93,360 weights', 'branch: 213,504', 'MBTA head: 3,216 weights',
                 'the first 8 of 64 rows kept', 'mim test mmbt new/out.py --checkpoint new/out.pth',
                 "init_model('new/out.py', 'new/out.pth')"):
        assert part in said
    text = (tmp_path / 'new' / 'out.py').read_text()
    assert text.startswith(
        '# mmbt convert gated.pth out.pth --arch arch.json\n')
    assert not re.search(r'_base_|/(home|root|tmp|work|usr)\b', text)
    assert str(tmp_path) not in text and str(ROOT) not in text
    assert sorted(path.name for path in (tmp_path / 'new').iterdir()) == ['out.pth', 'out.py']
    meta = torch.load(tmp_path / 'new' / 'out.pth')['meta']
    assert meta['form'] == 'clip' and meta['source'] == 'gated.pth'


def test_bad_input_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('MMBT_TRACEBACK', raising=False)
    message = run(monkeypatch, 'convert', 'nope.pth', 'out.pth')
    assert message.startswith('error: nope.pth: No such file') and '\n' not in message
    assert list(tmp_path.iterdir()) == []


def test_a_name_cannot_write_code_into_the_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = save(torch.load(PARITY / 'plain.pth'), 'in\nimport os\u2028.pth')
    assert run(monkeypatch, 'convert', source, 'out.pth', '--arch',
               arch_file(tmp_path)) is None
    assert (tmp_path / 'out.py').read_text().startswith(
        '# mmbt convert in?import os?.pth out.pth')
    Config.fromfile('out.py')


@pytest.mark.filterwarnings('ignore')
def test_the_retrieval_test_runs_as_it_stands(tmp_path, monkeypatch):
    """On two videos laid out as MSR-VTT, with the real vocabulary and tokenizer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('LOCAL_RANK', '0')
    shapes = clip_shapes(64, 3, 16, 2, 16, 64, 1, layers=2)
    save(filled(shapes), 'in.pth')
    assert run(monkeypatch, 'convert', 'in.pth', 'out.pth') is None
    (tmp_path / 'data/msrvtt/videos').mkdir(parents=True)
    captions = {f'video{i}.mp4': [f'a {word} cat'] for i, word in enumerate(['red', 'blue'])}
    (tmp_path / 'data/msrvtt/test_JSFUSION.json').write_text(json.dumps(captions))
    for index, name in enumerate(captions):
        writer = cv2.VideoWriter(f'data/msrvtt/videos/{name}', cv2.VideoWriter_fourcc(*'mp4v'), 10,
                                 (64, 48))
        for grey in range(4):
            writer.write(np.full((48, 64, 3), 50 * grey + 20 * index, np.uint8))
        writer.release()
    options = ['test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False']
    assert run(monkeypatch, 'test', 'out.py', 'out.pth', '--cfg-options', *options) is None
    logs = list((tmp_path / 'work_dirs' / 'out').rglob('*.json'))
    assert any('R1' in log.read_text() for log in logs), [log.read_text() for log in logs]
