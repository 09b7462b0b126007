"""The zip that a checkpoint is: packed anew it is read right, damaged it is refused."""
import random
import struct
import time
import zipfile
from io import BytesIO

import pytest
import torch
from mmengine.runner import CheckpointLoader

import mmbt  # noqa: F401
from mmbt.files.safe_load import read_checkpoint
from mmbt.models.checkpoints.conversion.reading import read_weights
from support.pickles import dict_of, rezip, storage, tensor, tuple_of, write_checkpoint


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """A checkpoint of three tensors, one of them of zeros, which packs well."""
    path = tmp_path_factory.mktemp('saved') / 'saved.pth'
    generator = torch.Generator().manual_seed(0)
    state = dict(a=torch.randn(40, 25, generator=generator), b=torch.zeros(5_000),
                 c=torch.arange(7, dtype=torch.int16))
    torch.save(dict(meta=dict(epoch=1), state_dict=state), path)
    return path, state


LOADERS = {
    'checkpoint': lambda path: CheckpointLoader.load_checkpoint(str(path), logger='silent')[
        'state_dict'],
    'converter': lambda path: read_weights(path)[0],
    'mapped': lambda path: read_checkpoint(path, mapped=True)['state_dict'],
    'opened': lambda path: read_checkpoint(BytesIO(path.read_bytes()))['state_dict'],
}


@pytest.mark.parametrize('method', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize('loader', LOADERS)
def test_a_file_that_was_packed_anew_gives_the_same_weights(saved, tmp_path, loader, method):
    path, state = saved
    found = LOADERS[loader](rezip(path, tmp_path / 'packed.pth', method))
    assert found.keys() == state.keys()
    for name, value in state.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name


@pytest.mark.parametrize('method', [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_of_packing_are_refused(saved, tmp_path, method):
    packed = rezip(saved[0], tmp_path / 'packed.pth', method)
    with pytest.raises(ValueError, match='packed.pth cannot be read .* which cannot be unpacked'):
        read_checkpoint(packed)


@pytest.mark.parametrize('loader', LOADERS)
@pytest.mark.parametrize('method', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_no_damage_gives_other_weights(saved, tmp_path, loader, method):
    """Bytes changed, cut and put in anywhere: the weights of the original, or one line."""
    _, state = saved
    data = rezip(saved[0], tmp_path / 'packed.pth', method).read_bytes()
    draw, path, refused = random.Random(0), tmp_path / 'damaged.pth', 0
    for _ in range(60):
        place, other = draw.randrange(len(data)), draw.randrange(len(data))
        path.write_bytes(draw.choice([
            data[:place] + bytes([data[place] ^ (1 << draw.randrange(8))]) + data[place + 1:],
            data[:place] + draw.randbytes(8) + data[place + 8:],
            data[:place] + data[other:other + 64] + data[place + 64:],
            data[:place] + data[place + 4:], data[:place] + bytes(4) + data[place:], data[:place]]))
        try:
            found = LOADERS[loader](path)
        except ValueError as error:
            refused += 1
            assert (str(path) in str(error) or loader == 'opened') and '\n' not in str(error)
        else:
            assert all(torch.equal(found[name], value) for name, value in state.items())
    assert refused > 40


def test_two_records_of_one_name_are_refused(saved, tmp_path):
    """Which of the two is read depends on the reader."""
    path = rezip(saved[0], tmp_path / 'twice.pth', zipfile.ZIP_STORED)
    with zipfile.ZipFile(path, 'a') as file, pytest.warns(UserWarning, match='Duplicate'):
        file.writestr(next(n for n in file.namelist() if n.endswith('data/0')), bytes(4_000))
    with pytest.raises(ValueError, match='twice.pth cannot be read .*two records of one name'):
        read_checkpoint(path)


def test_a_bomb_is_refused_before_it_takes_memory(tmp_path):
    """100 MB of zeros in 100 kB."""
    zeros = tensor((25 * 10**6,), count=25 * 10**6)
    path = write_checkpoint(tmp_path / 'bomb.pth', dict_of(a=zeros), {'0': bytes(100 * 10**6)},
                            zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    started = time.perf_counter()
    with pytest.raises(ValueError, match='bomb.pth cannot be read .*records larger than the file'):
        read_checkpoint(path)
    assert time.perf_counter() - started < 1


def test_a_record_that_claims_to_be_larger_is_refused(saved, tmp_path):
    data = bytearray(rezip(saved[0], tmp_path / 'x.pth', zipfile.ZIP_STORED).read_bytes())
    place = data.index(b'PK\x01\x02') + 20
    while data[place + 26:place + 60].find(b'data/0') < 0:
        place = data.index(b'PK\x01\x02', place) + 20
    data[place:place + 8] = struct.pack('<II', 2**31, 2**31)
    (tmp_path / 'larger.pth').write_bytes(data)
    with pytest.raises(ValueError, match='larger.pth cannot be read .*larger than the file'):
        read_checkpoint(tmp_path / 'larger.pth')


def test_a_storage_has_one_size(tmp_path):
    path = write_checkpoint(tmp_path / 'two.pth', dict_of(
        a=tensor(), b=tuple_of(storage(2, kind='DoubleStorage'))))
    with pytest.raises(ValueError, match="two.pth cannot be read .*'0' of two sizes"):
        read_checkpoint(path)


def test_shapes_alone_take_no_memory(tmp_path):
    path = tmp_path / 'large.pth'
    torch.save(dict(a=torch.zeros(1_000, 1_000), b=torch.ones(3, dtype=torch.bfloat16)), path)
    found = read_checkpoint(path, 'meta')
    assert found['a'].shape == (1_000, 1_000) and found['a'].is_meta
    assert found['b'].dtype == torch.bfloat16


@pytest.mark.parametrize('count', [0, 1, 5])
def test_the_older_form_is_read(tmp_path, count):
    state = {str(i): torch.arange(3. * i).view(3, i) for i in range(count)}
    state['shared'] = state.get('2', torch.ones(2)).t()
    torch.save(state, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    found = read_checkpoint(tmp_path / 'old.pth')
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) for name, value in state.items())
    data = (tmp_path / 'old.pth').read_bytes()
    for end in (len(data) - 1, len(data) // 2, 30, 1):
        (tmp_path / 'cut.pth').write_bytes(data[:end])
        with pytest.raises(ValueError, match='cut.pth cannot be read'):
            read_checkpoint(tmp_path / 'cut.pth')


DTYPES = ('float16', 'bfloat16', 'float64', 'int8', 'uint8', 'int16', 'int32', 'bool', 'complex64',
          'uint16', 'float8_e4m3fn')


@pytest.mark.filterwarnings('ignore')  # of the imaginary parts
@pytest.mark.parametrize('dtype', [getattr(torch, name) for name in DTYPES
                                   if hasattr(torch, name)])
def test_every_dtype_of_weights(tmp_path, dtype):
    weight = torch.tensor([[0, 1, 1], [1, 0, 1]]).to(dtype)
    torch.save(dict(a=weight, b=weight.t(), c=torch.nn.Parameter(weight, False),
                    d=weight[0, 1:], e=weight.flatten()[:0]), tmp_path / 'x.pth')
    found = read_checkpoint(tmp_path / 'x.pth')
    for name, value in dict(a=weight, b=weight.t(), c=weight, d=weight[0, 1:]).items():
        assert found[name].dtype == dtype and found[name].shape == value.shape
        assert found[name].to(torch.float32).tolist() == value.to(torch.float32).tolist()
    assert found['e'].shape == (0,) and isinstance(found['c'], torch.nn.Parameter)
