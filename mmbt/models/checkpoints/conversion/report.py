"""What a conversion did, for people."""
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from .convert import Conversion
from .forms import BRANCH, MBTA, TEXT, VISUAL
from .output import config_path

PARTS = {VISUAL: 'CLIP vision', TEXT: 'CLIP text', BRANCH: 'branch', MBTA: 'MBTA head',
         'projector.': 'projector', 'embed_tokens.': 'embedding of tokens'}


def describe(done: Conversion, source: str | Path, out: str | Path) -> str:
    """The report of a conversion from a file to another, several lines."""
    lines = [f'{source}: {done.released.form.title}']
    if done.arch is not None:
        lines.append(f'architecture: {done.arch}')
    lines += parts(done.state)
    if done.rows:
        lines.append(f'time embedding: the first {done.frames} of {done.rows} rows kept; more '
                     'frames read them interpolated')
    lines += gates(done)
    lines += dropped(done)
    lines += [f'note: {note}' for note in done.notes]
    return '\n'.join([*lines, *_next_steps(done, out)])


def parts(state: dict[str, Tensor]) -> Iterator[str]:
    """How many weights went where."""
    for prefix, title in PARTS.items():
        values = [value for name, value in state.items() if name.startswith(prefix)]
        if values:
            count = sum(value.numel() for value in values)
            yield f'{title}: {count:,} weights in {len(values)} tensors -> {prefix}*'


def gates(done: Conversion) -> Iterator[str]:
    """How much of the branch each gate lets through."""
    names = [name for name in done.state if name.startswith((f'{BRANCH}gates.',
                                                             f'{BRANCH}output_gate.'))]
    for name in names:
        share = torch.sigmoid(done.state[name].float())
        yield (f"share of the branch at {name[len(BRANCH):].replace('.weight', '')}: min "
               f'{share.min():.3f}, mean {share.mean():.3f}, max {share.max():.3f}')
    if done.rows and not names:
        yield 'no gates: branch and CLIP are added up'


def dropped(done: Conversion) -> Iterator[str]:
    """What in the file is of no use, and why."""
    for name, reason in done.released.dropped.items():
        yield f'dropped: {name}, {reason}'
    if done.released.beside:
        yield f"not used: {', '.join(done.released.beside)}, which lie beside the weights"


def _next_steps(done: Conversion, out: str | Path) -> list[str]:
    """What was written, and what to do with it."""
    if done.config is None:
        return [f'wrote {out}']
    config = config_path(out)
    lines = [f'wrote {out} and {config}; go on with',
             f"  mmbt.models.init_model('{config}', '{out}')"]
    if 'test_dataloader' in done.config:
        lines.append(f'  mim test mmbt {config} --checkpoint {out}')
    return lines
