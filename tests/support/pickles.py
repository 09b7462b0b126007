"""Pickles built by hand, and the zips that ``torch.save`` puts them in."""
import zipfile

import torch

PROTOCOL, MARK, STOP = b'\x80\x02', b'(', b'.'


def text(value):
    """A string."""
    data = value.encode('utf-8', 'surrogatepass')
    return b'X' + len(data).to_bytes(4, 'little') + data


def number(value):
    """An integer of any size."""
    data = value.to_bytes(value.bit_length() // 8 + 1, 'little', signed=True)
    return b'\x8a' + bytes([len(data)]) + data


def tuple_of(*items):
    """A tuple of what is on the stack."""
    return MARK + b''.join(items) + b't'


def named(name):
    """A class or function, ``module.name``."""
    return b'c' + '\n'.join(name.rsplit('.', 1)).encode() + b'\n'


def call(name, *arguments):
    """A call of ``module.name``."""
    return named(name) + tuple_of(*arguments) + b'R'


def built(thing, state):
    """Something with a state, as ``__setstate__`` takes it."""
    return thing + state + b'b'


def dict_of(**items):
    """A dict with these values."""
    return b'}' + MARK + b''.join(text(key) + value for key, value in items.items()) + b'u'


def bytes_of(data):
    """Bytes, as protocol 2 writes them."""
    return call('_codecs.encode', text(data.decode('latin1')), text('latin1'))


def storage(count, key='0', kind='FloatStorage'):
    """The storage of a tensor, from record ``key``."""
    return tuple_of(text('storage'), named(f'torch.{kind}'), text(key), text('cpu'),
                    number(count)) + b'Q'


def tensor(size=(2,), stride=(1,), offset=0, count=2, key='0'):
    """A tensor, as ``torch.save`` writes it."""
    return call('torch._utils._rebuild_tensor_v2', storage(count, key), number(offset),
                tuple_of(*map(number, size)), tuple_of(*map(number, stride)), b'\x89',
                call('collections.OrderedDict'))


def write_checkpoint(path, pickled, records=None, compression=zipfile.ZIP_STORED):
    """A file as ``torch.save`` makes it, of a pickle without its ends, and of storages."""
    records = {'0': torch.tensor([1., 2.]).numpy().tobytes()} if records is None else records
    with zipfile.ZipFile(path, 'w', compression) as file:
        file.writestr('archive/data.pkl', PROTOCOL + pickled + STOP)
        file.writestr('archive/byteorder', b'little')
        for key, data in records.items():
            file.writestr(f'archive/data/{key}', data)
        file.writestr('archive/version', b'3\n')
    return path


def rezip(source, target, compression=zipfile.ZIP_DEFLATED, change=lambda name, data: data):
    """The same records in another zip, as ``zip -r`` makes it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, 'w', compression) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target
