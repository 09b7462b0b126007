"""Checkpoints built to run code, to read memory that is not theirs, or to end the process."""
import pickle
import resource
import time
import zipfile

import numpy as np
import pytest
import torch
from mmaction.apis.inferencers import ActionRecogInferencer
from mmengine.runner import CheckpointLoader

import mmbt  # noqa: F401
from support.pickles import (
    built,
    bytes_of,
    call,
    dict_of,
    named,
    number,
    storage,
    tensor,
    text,
    tuple_of,
    write_checkpoint,
)

pytestmark = pytest.mark.slow

SPARSE = call('torch.serialization._get_layout', text('torch.sparse_coo'))


def array(dtype, shape=(1,), data=b'\x10' * 8):
    """An array, as numpy 2 writes it."""
    blank = call('numpy._core.multiarray._reconstruct', named('numpy.ndarray'),
                 tuple_of(number(0)), bytes_of(b'b'))
    return built(blank, tuple_of(number(1), tuple_of(*map(number, shape)), dtype, b'\x89',
                                 bytes_of(data)))


def dtype(code, *state):
    """A dtype with the rest of the state that numpy keeps of it."""
    kind = call('numpy.dtype', text(code), b'\x89', b'\x88')
    return built(kind, tuple_of(*state)) if state else kind


def forged():
    """A dtype of eight bytes that are taken for the address of an object, without saying so."""
    field = tuple_of(dtype('O8'), number(0))
    return dtype('V8', number(3), text('|'), b'N', tuple_of(text('a')), dict_of(a=field),
                 number(8), number(1), number(0))


FIRST = dict_of(a=tensor())
DEEP = b'N' + b'\x85' * 200_000  # tuples in tuples
ONE_HASH = [k * (2**61 - 1) for k in range(20_000)]
LAUGHS = b']q\x01' + b'0](h\x01h\x01h\x01h\x01eq\x01' * 40  # lists of lists, 4**40 in all
ATTACKS = {
    'object array': array(dtype('O8')),
    'object scalar': call('numpy._core.multiarray.scalar', dtype('O8'), bytes_of(b'\x10' * 8)),
    'forged fields in an array': array(forged()),
    'forged fields in a scalar': call('numpy._core.multiarray.scalar', forged(),
                                      bytes_of(b'\x10' * 8)),
    'a dtype that a state makes objects': array(dtype(
        'f8', number(3), text('|'), b'N', tuple_of(text('a')),
        dict_of(a=tuple_of(dtype('O8'), number(0))), number(8), number(1), number(27))),
    'strings of numpy': array(dtype('U2'), data=b'\xff' * 8),
    'an array larger than its bytes': array(dtype('f8'), (2**40,)),
    'an array of negative length': array(dtype('f8'), (-1,)),
    'an array never given its values': call('numpy._core.multiarray._reconstruct',
                                            named('numpy.ndarray'), tuple_of(number(2**60)),
                                            bytes_of(b'b')),
    'a tensor beyond its storage': tensor((3,)),
    'a tensor before its storage': tensor((1,), offset=-1),
    'a tensor with huge strides': tensor((2,), (2**62,)),
    'a tensor with negative strides': tensor((2,), (-1,), offset=1),
    'a tensor repeated to terabytes': tensor((2**40,), (0,)),
    'a storage larger than its record': tensor((2,), count=2**40),
    'a storage that is not there': tensor(key='7'),
    'a storage outside of the folder': tensor(key='../../0'),
    'a tensor of something else': call(
        'torch._utils._rebuild_tensor_v2', text('storage'), number(0), tuple_of(number(2)),
        tuple_of(number(1)), b'\x89', call('collections.OrderedDict')),
    'a sparse tensor': call('torch._utils._rebuild_sparse_tensor', SPARSE, tuple_of(
        tensor(), tensor(), tuple_of(number(1)))),
    'a quantised tensor': call(
        'torch._utils._rebuild_qtensor', storage(2), number(0), tuple_of(number(2)),
        tuple_of(number(1)), tuple_of(named('torch.per_tensor_affine'), number(1), number(0)),
        b'\x89', call('collections.OrderedDict')),
    'a class of tensors': call('torch._tensor._rebuild_from_type_v2', named('torch.Size'),
                               named('torch.Tensor'), tuple_of(number(1)), dict_of(x=number(1))),
    'a tensor on a device that is not there': call(
        'torch._utils._rebuild_meta_tensor_no_storage', named('torch.float32'),
        tuple_of(number(2**50)), tuple_of(number(1)), b'\x89'),
    'a tensor set to a storage': built(
        call('torch.Tensor'), tuple_of(storage(2), number(0), tuple_of(number(9**9)),
                                       tuple_of(number(1)))),
    'bytes out of a number': call('builtins.bytearray', number(2**40)),
    'a complex of text': call('builtins.complex', text('1' * 9)),
    'an encoder that is not latin1': call('_codecs.encode', text('x'), text('zip')),
    'a history without lists': built(
        named('mmengine.logging.history_buffer.HistoryBuffer') + b')\x81',
        dict_of(_log_history=text('x'), _count_history=number(1), max_length=text('y'))),
    'a history with a method': built(
        named('mmengine.logging.history_buffer.HistoryBuffer') + b')\x81',
        dict_of(mean=text('x'))),
    'an attribute of a class': call('builtins.getattr', named('numpy.dtype'), text('mro')),
    'a list of itself': b']q\x01h\x01a',
    'lists in lists': b']' * 5_000 + b'a' * 4_999,
    'a billion laughs': b']' + b''.join(b'q\x01]h\x01h\x01h\x01h\x01(h\x01h\x01h\x01h\x01e'
                                        for _ in range(60)),
    'deep tuples as a key': b'}' + DEEP + b'Ns',
    'deep tuples among keys': b'}(' + DEEP + b'Nu',
    'deep tuples as a key of protocol 0': b'(' + DEEP + b'Nd',
    'deep tuples in a set': b'\x8f(' + DEEP + b'\x90',
    'deep tuples in a frozen set': b'(' + DEEP + b'\x91',
    'deep tuples in a set of a list': call('builtins.set', b'](' + DEEP + b'e'),
    'deep tuples in an ordered dict': call('collections.OrderedDict',
                                           b'](' + tuple_of(DEEP, b'N') + b'e'),
    'integers of one hash as keys': b'}(' + b''.join(number(k) + b'N' for k in ONE_HASH) + b'u',
    'integers of one hash in tuples': b'}(' + b''.join(number(k) + b'\x85N'
                                                      for k in ONE_HASH) + b'u',
    'integers of one hash in a set': b'\x8f(' + b''.join(map(number, ONE_HASH)) + b'\x90',
    'integers of one hash as places in the memo': b'N' + b''.join(b'p%d\n' % k for k in ONE_HASH),
    'a billion laughs as a dtype': call('numpy.dtype', LAUGHS),
    'a billion laughs as an attribute': call('builtins.getattr', named('numpy.dtype'), LAUGHS),
    'an integer of too many digits for a message': b'\x8b\0\x10\0\0' + b'\x7f' * 4096,
    'a million objects asked for at once': b'\x8a\xff',
    'nothing on the stack': b'R',
    'a mark that is not there': b't',
    'no value': b'',
}


@pytest.mark.parametrize('name', ATTACKS)
def test_what_no_training_run_writes_is_refused_in_one_line(tmp_path, name):
    path = write_checkpoint(tmp_path / 'stranger.pth', dict_of(state_dict=FIRST,
                                                               extra=ATTACKS[name]))
    with pytest.raises(ValueError) as refusal:
        CheckpointLoader.load_checkpoint(str(path))
    assert str(refusal.value).startswith(f'{path} ') and '\n' not in str(refusal.value)


def test_a_meta_that_is_no_dict_is_refused(tmp_path):
    """mmengine's Runner asks ``'config' in meta`` and runs ``meta['config']``: a record of numpy's
    answers both."""
    path, touched = tmp_path / 'stranger.pth', tmp_path / 'touched'
    code = f'import pathlib; pathlib.Path({str(touched)!r}).touch()'
    kinds = [('word', 'U6'), ('epoch', 'i8'), ('iter', 'i8'), ('config', f'U{len(code)}')]
    void = np.array([('config', 0, 0, code)], kinds)[0]
    assert isinstance(void, np.void) and 'config' in void.item() and void['config'] == code
    for meta in (void, 'config', ['config'], torch.ones(1), 7, None):
        torch.save(dict(state_dict={}, meta=meta), path)
        with pytest.raises(ValueError, match=f'^{path} ') as refusal:
            CheckpointLoader.load_checkpoint(str(path))
        assert '\n' not in str(refusal.value)
    assert not touched.exists()


def test_a_config_in_meta_is_dropped_however_it_is_held(tmp_path):
    path = str(tmp_path / 'stranger.pth')
    torch.save(dict(state_dict={}, meta=dict(config='raise SystemExit', epoch=3)), path)
    assert CheckpointLoader.load_checkpoint(path)['meta'] == dict(epoch=3)


@pytest.mark.parametrize('place', ['meta', 'message_hub'])
def test_a_config_in_a_checkpoint_is_not_run_by_inferencers(tmp_path, place):
    """They run it as Python where they are given weights alone."""
    path, touched = str(tmp_path / 'stranger.pth'), tmp_path / 'touched'
    code = f'import pathlib; pathlib.Path({str(touched)!r}).touch(); model = dict(type="x")'
    parts = dict(meta=dict(meta=dict(cfg=code)),
                 message_hub=dict(message_hub=dict(runtime_info=dict(cfg=code))))
    torch.save(dict(state_dict={}, **parts[place]), path)
    with pytest.raises(ValueError, match=f'^{path}: name its config file too'):
        ActionRecogInferencer(model=None, weights=path)
    assert not touched.exists()


def test_the_builder_of_these_files_makes_what_torch_saves(tmp_path):
    path = write_checkpoint(tmp_path / 'own.pth', dict_of(
        a=tensor(), b=tensor((2, 1), (1, 2)), c=array(dtype('f8'), data=np.float64(3).tobytes()),
        d=call('numpy._core.multiarray.scalar', dtype('i4'), bytes_of(b'\x05\0\0\0'))))
    loaded = CheckpointLoader.load_checkpoint(str(path))
    assert loaded['a'].tolist() == [1, 2] and loaded['b'].tolist() == [[1], [2]]
    assert loaded['c'].tolist() == [3] and loaded['d'] == 5
    assert loaded['a'].data_ptr() == loaded['b'].data_ptr()  # one storage


@pytest.mark.parametrize('package', ['numpy.core', 'numpy._core'])
@pytest.mark.parametrize('order', ['<', '>', '='])
def test_arrays_of_numpy_1_and_2_in_either_order(tmp_path, package, order):
    kind = dtype('f4', number(3), text(order), b'N', b'N', b'N', number(-1), number(-1), number(0))
    data = np.array([1.5, -2], f'{order}f4').tobytes()
    pickled = dict_of(values=array(kind, (2,), data)).replace(
        b'numpy._core', package.encode())
    path = write_checkpoint(tmp_path / 'own.pth', pickled)
    assert CheckpointLoader.load_checkpoint(str(path))['values'].tolist() == [1.5, -2]


def test_a_file_of_few_bytes_takes_little_memory(tmp_path):
    """The memo of Python's own C unpickler grows to the largest index: 64 GB for 5 bytes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, attack in (('memo', b'Nr\xff\xff\xff\xff'), ('long', b'\x8b\xff\xff\xff\x7f'),
                         ('text', b'X\xff\xff\xff\x7f'),
                         ('frame', b'\x95' + b'\xff' * 7 + b'\x7f')):
        path = write_checkpoint(tmp_path / f'{name}.pth', attack)
        try:
            CheckpointLoader.load_checkpoint(str(path))
        except ValueError as error:
            assert str(path) in str(error)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def old_form(content, keys, path):
    """A file as torch wrote it before 1.6."""
    whole = [pickle.dumps(part, 2) for part in (0x1950a86a20f9469cfc6c, 1001, {})]
    path.write_bytes(b''.join([*whole, *(b'\x80\x02' + each + b'.' for each in (content, keys))]))
    return path


def test_the_names_of_storages_of_the_older_form_are_texts(tmp_path):
    """As text, these lists in lists are of 4**40 characters."""
    path = old_form(b'}', b'](' + LAUGHS + b'e', tmp_path / 'old.pth')
    with pytest.raises(ValueError, match=f'^{path} cannot be read .*other storages'):
        CheckpointLoader.load_checkpoint(str(path))


def test_many_storages_of_the_older_form_take_time_in_proportion(tmp_path):
    empty = b''.join(storage(0, str(i)) + b'0' for i in range(20_000))
    path = old_form(b'}' + empty, b']', tmp_path / 'old.pth')
    started = time.perf_counter()
    with pytest.raises(ValueError, match=f'^{path} cannot be read'):
        CheckpointLoader.load_checkpoint(str(path))
    assert time.perf_counter() - started < 5


def test_a_small_file_holds_few_objects(tmp_path):
    """A gigabyte of empty sets packs into 5 kB."""
    path = write_checkpoint(tmp_path / 'small.pth', b'](' + b'\x8f' * 1_000_000 + b'e', {},
                            zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2_000
    with pytest.raises(ValueError, match=f'^{path} cannot be read .*more instructions'):
        CheckpointLoader.load_checkpoint(str(path))
