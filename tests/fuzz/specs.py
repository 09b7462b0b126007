"""Checkpoints described in JSON, so that values in them can be changed one by one."""
import json
import math

import torch
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

from support.pickles import write_checkpoint


def spec_of(content):
    """What a checkpoint holds as JSON: a tensor is ``{"tensor": shape}``, integer keys digits."""
    if isinstance(content, torch.Tensor):
        return dict(tensor=list(content.shape))
    if callable(content):
        return dict(function=content.__name__)
    if isinstance(content, dict):
        return {str(key): spec_of(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [spec_of(value) for value in content]
    return content if isinstance(content, (str, int, float, type(None))) else str(content)


def content_of(spec):
    """The content that a spec, perhaps a damaged one, describes."""
    if isinstance(spec, dict) and set(spec) == {'tensor'}:
        shape = spec['tensor']
        sizes = isinstance(shape, list) and all(type(n) is int and 0 <= n < 2**20 for n in shape)
        if sizes and math.prod(shape) < 2**20:
            return torch.ones(shape)
        return shape
    if isinstance(spec, dict) and set(spec) == {'function'}:
        return getattr(OneCycleParamScheduler, str(spec['function']), spec['function'])
    if isinstance(spec, dict):
        return {int(key) if key.isdecimal() and len(key) < 9 else key: content_of(value)
                for key, value in spec.items()}
    return [content_of(value) for value in spec] if isinstance(spec, list) else spec


def save_spec(path):
    """Save what a spec describes beside it; the checkpoint."""
    try:
        content = content_of(json.loads(path.read_bytes()))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is no spec') from error
    target = path.with_suffix('.pth')
    torch.save(content, target)
    return target


def zip_pickle(path, records):
    """Put a pickle, perhaps a damaged one, into a checkpoint whose checksums are right."""
    data = path.read_bytes()
    return write_checkpoint(path.with_suffix('.pth'), data[2:-1], records)


def write_json(path, content):
    """Write a JSON file."""
    path.write_text(json.dumps(content))
    return path
