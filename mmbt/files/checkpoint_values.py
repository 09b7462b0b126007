"""What a checkpoint may hold, made by constructors of our own.

Tensors within their storages, arrays and numbers of plain dtypes, mmengine's log histories, and
Python's own containers. numpy's and torch's constructors believe what a file says of addresses,
fields and sizes; these check it.
"""
import math
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from torch import Tensor

from .plain_unpickler import Named, Refused, Unfinished, check_key

CODES = {f'{kind}{size}': np.dtype(f'{kind}{size}') for kind, sizes in
         (('b', (1,)), ('i', (1, 2, 4, 8)), ('u', (1, 2, 4, 8)), ('f', (2, 4, 8)), ('c', (8, 16)))
         for size in sizes if (kind, size) != ('b', 1)}
CODES['b1'] = np.dtype(bool)
STORAGES = dict(
    Float=torch.float32, Double=torch.float64, Half=torch.float16, BFloat16=torch.bfloat16,
    Long=torch.int64, Int=torch.int32, Short=torch.int16, Char=torch.int8, Byte=torch.uint8,
    Bool=torch.bool, ComplexFloat=torch.complex64, ComplexDouble=torch.complex128)
DEVICE = re.compile(r'(cpu|cuda|mps|xpu|npu|meta)(:\d{1,3})?')
ANNEALING = ('_annealing_cos', '_annealing_linear')
MAX_AXES = 32


class Storage(NamedTuple):
    """The memory of tensors.

    Attributes:
        memory: The bytes.
        dtype: What they are taken for; None if the tensors say.
    """

    memory: torch.UntypedStorage
    dtype: torch.dtype | None


class Dtype(Unfinished):
    """A plain dtype of numpy; its state may say the order of the bytes, and nothing else."""

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        super().__init__()
        _expect(type(code) is str, f'an array of a {type(code).__name__}')
        _expect(code in CODES, f'an array of {code[:20]!r}, not of plain numbers')
        self.dtype = CODES[code]

    def finish(self, state: Any) -> 'Dtype':
        """Take the order of the bytes."""
        _expect(type(state) is tuple and len(state) >= 5 and state[1] in ('<', '>', '=', '|')
                and all(part is None for part in state[2:5]), 'an array of fields')
        self.dtype = self.dtype.newbyteorder(state[1])
        return self

    def read(self, data: Any, count: int) -> np.ndarray:
        """(count,) numbers in this machine's own order."""
        _expect(type(data) is bytes and len(data) == count * self.dtype.itemsize,
                'an array of another size than its numbers')
        if self.dtype.kind == 'b':
            return np.frombuffer(data, np.uint8) != 0
        return np.frombuffer(data, self.dtype).astype(self.dtype.newbyteorder('='))


class Array(Unfinished):
    """An array of numpy before it has shape and values."""

    def finish(self, state: Any) -> np.ndarray:
        """The array of ``(version, shape, dtype, whether columns come first, bytes)``."""
        _expect(type(state) is tuple and len(state) == 5 and isinstance(state[2], Dtype),
                'an array without a plain state')
        _, shape, dtype, columns_first, data = state
        _expect(_sizes(shape) and len(shape) <= MAX_AXES, 'an array of an impossible shape')
        values = dtype.read(data, math.prod(shape))
        return values.reshape(shape, order='F' if columns_first else 'C')


def _expect(condition: Any, what: str) -> None:
    if not condition:
        raise Refused(what)


def _sizes(values: Any) -> bool:
    return type(values) is tuple and all(type(each) is int and 0 <= each < 2**62 for each in values)


def _blank_array(kind: Any, shape: Any = None, code: Any = None) -> Array:
    """What numpy's ``_reconstruct`` makes."""
    _expect(isinstance(kind, Named) and kind.name == 'numpy.ndarray', 'an array of another class')
    return Array()


def scalar(dtype: Any, data: Any) -> Any:
    """A number of numpy."""
    _expect(isinstance(dtype, Dtype), 'a number without a plain dtype')
    return dtype.read(data, 1)[0]


def latin1(text: Any, encoding: Any) -> bytes:
    """Bytes, as protocol 2 writes them."""
    _expect(type(text) is str and encoding == 'latin1', 'a text in another encoding')
    return text.encode('latin1')


def _complex_number(real: Any, imaginary: Any) -> complex:
    """A complex number of two floats."""
    _expect(type(real) is float and type(imaginary) is float, 'a complex number of other things')
    return complex(real, imaginary)


def _ordered_dict(items: Any = ()) -> OrderedDict:
    """An ordered dict, empty or of a list of pairs."""
    _expect(items == () or type(items) is list and all(
        type(each) in (list, tuple) and len(each) == 2 for each in items),
        'an ordered dict of something else than pairs')
    for key, _ in items:
        check_key(key)
    return OrderedDict(items)


def plain_dict(items: Any = None) -> dict:
    """A dict of a dict."""
    _expect(items is None or type(items) is dict, 'a dict of something else')
    return dict(items or {})


def counter(counts: Any = None) -> Counter:
    """Numbers by what they count."""
    _expect(counts is None or type(counts) is dict, 'a count of something else than a dict')
    return Counter(counts)


def plain_set(items: Any = ()) -> set:
    """A set of a list or tuple."""
    _expect(type(items) in (list, tuple), 'a set of something else than a list')
    for each in items:
        check_key(each)
    return set(items)


def size(values: Any) -> tuple[int, ...]:
    """The shape of a tensor."""
    _expect(_sizes(values), 'an impossible size')
    return values


def device(name: Any, index: Any = None) -> torch.device:
    """A device by its name."""
    _expect(type(name) is str and DEVICE.fullmatch(name), 'an unknown device')
    return torch.device(name)


def _stored_attribute(owner: Any, name: Any) -> Any:
    """What ``getattr`` may fetch: mmengine's own plain functions, by name.

    mmengine stores functions that live in a class: the statistics of a log history, which are known
    without it, and the annealing of a one-cycle schedule.
    """
    _expect(type(name) is str, f'an attribute named by a {type(name).__name__}')
    owner = owner.name if isinstance(owner, Named) else type(owner).__name__
    if owner == HISTORY and name in ('min', 'max', 'mean', 'current'):
        return Named(f'{owner}.{name}')
    if owner == ONE_CYCLE and name in ANNEALING:
        return getattr(OneCycleParamScheduler, name)
    raise Refused(f'GLOBAL getattr of {owner}.{name}')


def tensor(storage: Any, offset: Any, shape: Any, stride: Any, requires_grad: Any = False,
           hooks: Any = None, metadata: Any = None, dtype: Any = None) -> Tensor:
    """A tensor that lies within its storage, and has no more values than it."""
    _expect(isinstance(storage, Storage), 'a tensor without a storage')
    dtype = dtype or storage.dtype
    _expect(isinstance(dtype, torch.dtype), 'a tensor without a dtype')
    _expect(_sizes(shape) and _sizes(stride) and _sizes((offset,))
            and len(shape) == len(stride) <= MAX_AXES, 'a tensor of an impossible shape')
    _expect(not metadata, 'a conjugated or negated view')
    length = storage.memory.nbytes() // dtype.itemsize
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride))
    _expect(math.prod(shape) <= length and (last < length or 0 in shape),
            'a tensor that does not lie within its storage')
    blank = torch.empty(0, dtype=dtype, device=storage.memory.device)
    made = blank.set_(storage.memory, offset if math.prod(shape) else 0, shape, stride)
    return made.requires_grad_() if requires_grad is True and dtype.is_floating_point else made


def _tensor_v3(storage: Any, offset: Any, shape: Any, stride: Any, requires_grad: Any, hooks: Any,
               dtype: Any, metadata: Any = None) -> Tensor:
    """A tensor of a dtype that has no storage of its own."""
    return tensor(storage, offset, shape, stride, requires_grad, hooks, metadata, dtype)


def parameter(data: Any, requires_grad: Any = True, hooks: Any = None) -> torch.nn.Parameter:
    """A parameter of a tensor."""
    _expect(type(data) is Tensor, 'a parameter of something else than a tensor')
    return torch.nn.Parameter(data.detach(), requires_grad is True and data.is_floating_point())


def _with_attributes(function: Any, kind: Any, arguments: Any, state: Any) -> Tensor:
    """A tensor or parameter without the attributes that it had."""
    _expect(isinstance(function, Named) and function.call in (tensor, _tensor_v3, parameter)
            and isinstance(kind, Named) and kind.name in TENSORS and type(arguments) is tuple,
            'a tensor of another class')
    return function.call(*arguments)


def _set_history(history: HistoryBuffer, state: Any) -> HistoryBuffer:
    """Give a log history its values and counts; what else it had is the same in all of them."""
    _expect(type(state) is dict, 'a log history without a state')
    values, counts, longest = (state.get(name) for name in (
        '_log_history', '_count_history', 'max_length'))
    _expect(all(type(each) is np.ndarray and each.ndim == 1 for each in (values, counts))
            and len(values) == len(counts) and type(longest) is int and 0 < longest < 2**40,
            'a log history without values')
    history._log_history, history._count_history, history.max_length = values, counts, longest
    return history


def _set_metadata(weights: OrderedDict, state: Any) -> OrderedDict:
    """Give a state dict the versions of its modules, as PyTorch keeps them; no other attribute."""
    _expect(type(state) is dict, 'an ordered dict with an odd state')
    found = state.get('_metadata')
    if isinstance(found, dict):
        weights._metadata = {  # type: ignore[attr-defined]
            name: dict(version=entry['version']) for name, entry in found.items()
            if type(name) is str and type(entry) is dict and type(entry.get('version')) is int}
    return weights


HISTORY = 'mmengine.logging.history_buffer.HistoryBuffer'
ONE_CYCLE = 'mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler'
TENSORS = ('torch.Tensor', 'torch.nn.parameter.Parameter')
STATES = {HistoryBuffer: _set_history, OrderedDict: _set_metadata}


def _names() -> Iterable[Any]:
    calls: dict[str, Callable] = {
        'builtins.getattr': _stored_attribute, 'builtins.set': plain_set,
        'builtins.complex': _complex_number, '_codecs.encode': latin1,
        'collections.OrderedDict': _ordered_dict, 'collections.Counter': counter,
        'mmengine.config.config.ConfigDict': plain_dict, 'numpy.dtype': Dtype,
        'torch.Size': size, 'torch.device': device,
        'torch._tensor._rebuild_from_type_v2': _with_attributes,
        'torch._utils._rebuild_tensor': tensor, 'torch._utils._rebuild_tensor_v2': tensor,
        'torch._utils._rebuild_tensor_v3': _tensor_v3,
        'torch._utils._rebuild_parameter': parameter}
    for package in ('numpy.core', 'numpy._core'):  # files travel between numpy 1 and 2
        calls[f'{package}.multiarray._reconstruct'] = _blank_array
        calls[f'{package}.multiarray.scalar'] = scalar
    for name, function in calls.items():
        yield Named(name, call=function)
    for name in ('numpy.ndarray', ONE_CYCLE, *TENSORS):
        yield Named(name)
    yield Named(HISTORY, blank=HistoryBuffer)
    for name, dtype in STORAGES.items():
        yield Named(f'torch.{name}Storage', value=dtype)
    yield Named('torch.storage.UntypedStorage')


NAMES: dict[str, Any] = {named.name: named for named in _names()}
DTYPES = {str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)}
NAMES.update({name: Named(name) for name in ('torch.UntypedStorage',)})
NAMES.update(DTYPES)

PLAIN = (type(None), bool, int, float, complex, str, bytes, Tensor, torch.nn.Parameter, np.ndarray,
         HistoryBuffer, torch.dtype, torch.device, *{dtype.type for dtype in CODES.values()})
CONTAINERS = (list, tuple, set, frozenset)
DICTS = (dict, OrderedDict, Counter)
FUNCTIONS = tuple(getattr(OneCycleParamScheduler, name) for name in ANNEALING)
DEEPEST, MOST = 50, 4_000_000


def check_plain(content: Any, most: int = MOST) -> None:
    """Refuse what holds anything else, is nested too deep, or would grow large when written out.

    Args:
        content: What a file held.
        most: Values that it may hold, counted as often as they are referred to.

    Raises:
        pickle.UnpicklingError: Naming it.
    """
    left, found = [(content, 0)], 0
    while left:
        value, depth = left.pop()
        found += 1
        _expect(depth <= DEEPEST, 'values nested too deep')
        _expect(found <= most, 'more values than it has room for')
        if type(value) in DICTS:
            left.extend((each, depth + 1) for pair in value.items() for each in pair)
        elif type(value) in CONTAINERS:
            left.extend((each, depth + 1) for each in value)
        elif type(value) not in PLAIN and not any(value is each for each in FUNCTIONS):
            raise Refused(f'a {getattr(value, "name", type(value).__name__)} as a value')
