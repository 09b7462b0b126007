"""A generated config holds values, whatever a file said; and an arch.json is of this world."""
import copy
import json

import open_clip
import pytest
from mmengine.config import Config

from mmbt.models.checkpoints.conversion import convert
from mmbt.models.checkpoints.conversion.architecture import read_arch
from mmbt.models.checkpoints.conversion.config_text import config_text
from mmbt.models.checkpoints.conversion.output import script
from mmbt.models.families.arch_check import check_arch

from .files import CONFIGS, PARITY, arch_file, expected

TEXTS = ["'", '"', '\\', "\\'", "''' + open('x', 'w')", '\n', '\r', '\u2028', '\x00', '\ud800', '',
         '{{ fileDirname }}', '{{fileBasename}}', '{{$HOME:x}}', "{{'$HOME:x'}}", '{{{{', '}}',
         "{{$MMBT_NOT_SET:' + open('x', 'w') + '}}", '{{ _base_.model }}', '# x', '%s', '{0}', 'ü',
         'a' * 300, '_base_', '__import__("os")']


def read_back(values, folder):
    path = folder / 'config.py'
    path.write_text(script(Config(values), ['a head']), encoding='utf-8')
    return Config.fromfile(path).to_dict()


def test_values_come_back_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', '/taken')
    keys = ['', 'class', 'a b', "x': print(1), 'y", '1', 'ｘ', 'self', 'None', *TEXTS]
    values = dict(
        texts=TEXTS, by_key={key: 1 for key in keys if key != '_base_'},
        names=dict(one=1, two=dict(three=[dict(four=(4,), five=())])), number=-1.5e-300,
        nothing=None, flag=True, large=10**30, deep=[[[[[[1, 'b' * 90]]]]], {}], empty={},
        long=[dict(type='Step', scale=(-1, 224), keys=['a' * 30] * 9)] * 3)
    assert read_back(copy.deepcopy(values), tmp_path) == values
    assert not (tmp_path / 'x').exists()
    assert max(map(len, config_text(dict(long=values['long'])).splitlines())) <= 100


@pytest.mark.parametrize('values', [
    {'a b': 1}, {'class': 1}, {'_base_': './other.py'}, {'filename': 1}, {'__import__': 1},
    {'x = 1\ny': 1}, dict(a={'_delete_': True}), dict(a={'_base_': 'x'}), dict(a={1: 1}),
    dict(a=float('nan')), dict(a=print), dict(a=[b'x']), dict(a=object())])
def test_what_cannot_be_written_as_what_it_is_is_refused(values):
    with pytest.raises(ValueError, match='^a config cannot hold ') as refusal:
        config_text(values)
    assert '\n' not in str(refusal.value)


def test_a_name_in_the_head_is_no_template(tmp_path):
    text = script(Config(dict(a=1)), ["{{$MMBT_NOT_SET:\nopen('x', 'w')}}.pth"])
    assert '{{' not in text and text.count('\n') == 2


def changed(part=None, **settings):
    """The parity files' architecture with other settings."""
    arch = copy.deepcopy(expected('gated')['arch'])
    (arch if part is None else arch[part]).update(settings)
    return arch


CODE = "x': __import__('pathlib').Path('touched').touch(), 'y"
BAD = {
    'a key that is code': changed('text_cfg', tokenizer_kwargs={CODE: 1}),
    'a value that is a template': changed('text_cfg', tokenizer_kwargs=dict(a='{{$X:1}}')),
    'a template as a name': changed('vision_cfg', timm_model_name='{{ fileDirname }}'),
    'a model of someone else': changed('vision_cfg', timm_model_name='hf-hub:someone/model'),
    'a folder': changed('vision_cfg', timm_model_name='local-dir:/tmp/x'),
    'a text tower of someone else': changed('text_cfg', hf_model_name='someone/model'),
    'an unknown part': changed(other_cfg=dict(a=1)),
    'an instruction': changed(_delete_=True),
    'a billion layers': changed('vision_cfg', layers=10**9),
    'no layers': changed('vision_cfg', layers=0),
    'a width of terabytes': changed('vision_cfg', width=10**9),
    'terabytes together': changed('vision_cfg', width=16_384, layers=256, mlp_ratio=64),
    'a picture of terabytes': changed('vision_cfg', image_size=4_096, patch_size=1),
    'a text of terabytes': changed('text_cfg', context_length=10**7),
    'a number beyond floats': changed('vision_cfg', mlp_ratio=10**400),
    'true for a number': changed('vision_cfg', width=True),
    'a fraction of a layer': changed('vision_cfg', layers=2.5),
    'a text for a number': changed(embed_dim='48'),
    'lists in lists': changed('vision_cfg', image_size=[[[32]]]),
}


@pytest.mark.parametrize('name', BAD)
def test_an_architecture_that_is_none_is_refused_in_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = arch_file(tmp_path, BAD[name])
    with pytest.raises(ValueError, match=f'^--arch {path}: ') as refusal:
        convert(PARITY / 'gated.pth', tmp_path / 'out.pth', CONFIGS, arch=path)
    assert '\n' not in str(refusal.value)
    assert [each.name for each in tmp_path.iterdir()] == ['arch.json']


@pytest.mark.parametrize('data, words', [
    (b'[' * 100_000, 'nested too deeply'), (b'{"a":' * 70 + b'1' + b'}' * 70, 'deeper than'),
    (b'[NaN]', 'no architecture'), (b'9' * 5_000, 'does not fit 64 bits'), (b'\xff', 'not UTF-8'),
    (b' ' * (2**20 + 1), '1,048,57. bytes'), (b'', 'is empty'),
    (b'{"a": 1} x', 'is not valid JSON')])
def test_a_json_file_that_is_none_is_refused_in_one_line(data, words, tmp_path):
    (tmp_path / 'arch.json').write_bytes(data)
    with pytest.raises(ValueError, match=f'arch.json: .*{words}') as refusal:
        read_arch(tmp_path / 'arch.json')
    assert '\n' not in str(refusal.value)


def test_every_vision_transformer_of_open_clip_passes():
    arches = map(open_clip.get_model_config, open_clip.list_models())
    plain = [arch for arch in arches if not arch['text_cfg'].get('hf_model_name')
             and 'multimodal_cfg' not in arch and 'patch_size' not in (
                 key for key, value in arch['vision_cfg'].items() if value is None)]
    for arch in plain:
        check_arch(json.loads(json.dumps(arch)))
    assert len(plain) > 60
