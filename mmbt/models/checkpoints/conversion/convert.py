"""Turn a file of the authors' released weights into a checkpoint and a config of this project."""
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmbt.files.atomic import check_place
from mmbt.files.shipped import shipped
from mmbt.files.source import CARD
from mmbt.version import __version__

from . import output
from .architecture import OPENAI, Arch, infer, named, read_arch
from .forms import BRANCH, MBTA, TIME
from .released import Released, read_released

# What open_clip and timm raise for settings that make no model.
UNBUILDABLE = (ValueError, TypeError, RuntimeError, LookupError, AttributeError, AssertionError,
               ArithmeticError)


@dataclass
class Conversion:
    """What was converted.

    Attributes:
        released: What the file held.
        state: Our weights.
        arch: Their architecture; None where there is no video model.
        frames: Rows of the time embedding that were kept.
        rows: Rows that the file has.
        config: The config that they fit; None for none.
        card: What they were made beside; None where there is no video model.
        notes: What was assumed, or has to be known.
    """

    released: Released
    state: dict[str, Tensor]
    arch: Arch | None = None
    frames: int = 0
    rows: int = 0
    config: Config | None = None
    card: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)


def convert(source: str | Path, out: str | Path, configs: str | Path | None = None,
            arch: str | Path | None = None, frames: int | None = None) -> Conversion:
    """Read a released file, and write a checkpoint and the config that it fits.

    Nothing is written unless all of it fits.

    Args:
        source: The released file, of whatever form.
        out: The checkpoint, ``.pth``; the config has its name with ``.py``.
        configs: The folder of this project's configs; found where it is not given.
        arch: A json file with open_clip's architecture dict, for weights whose shapes do not tell.
        frames: Rows of the time embedding to keep. None: those that training reached.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If an argument is no good, or the file is not a whole one of a known form.
    """
    source, out = Path(source), Path(out)
    _check_paths(source, out)
    check_place(out)
    try:
        done = prepare(read_released(source), Path(configs or shipped('configs')), arch, frames)
        _check_finite(done)
    except ValueError as error:
        if str(source) in str(error) or str(error).startswith('--'):
            raise
        raise ValueError(f'{source}: {error}') from error
    flags = [f'--arch {Path(arch).name}'] if arch is not None else []
    flags += [f'--frames {frames}'] if frames is not None else []
    write(done, source, out, flags)
    return done


def prepare(released: Released, configs: Path, arch: str | Path | None = None,
            frames: int | None = None) -> Conversion:
    """Make our weights and the config of a released file. Arguments as in :func:`convert`."""
    done = Conversion(released, released.make())
    if released.form.key == 'projector':
        if arch is not None or frames is not None:
            raise ValueError(f'{released.form.title} has neither an architecture nor frames; leave '
                             '--arch and --frames out')
        done.notes.append('no video model is in the file, so no config is written')
        return done
    _add_gates(done)
    _keep_rows(done, frames)
    _choose_architecture(done, arch)
    _add_config(done, configs, arch)
    return done


def _check_paths(source: Path, out: Path) -> None:
    """Refuse an output that is no checkpoint, or is the input.

    Raises:
        ValueError: If it is.
    """
    if out.suffix != '.pth':
        raise ValueError(f'{out}: the file to write must end in .pth')
    for path in (out, output.config_path(out)):
        if path.resolve() == source.resolve():
            raise ValueError(f'{source} would be written over; choose another name for the output')
        if path.is_dir():
            raise ValueError(f'{path} is a folder; choose another name for the output')


def _add_gates(done: Conversion) -> None:
    """Open the gates of a conversation model halfway, as the released inference does."""
    if done.released.form.key != 'branch':
        return
    width = len(done.state[f'{BRANCH}cls_shift'])
    for i in range(num_layers(done) - 1):
        done.state[f'{BRANCH}gates.{i}.weight'] = torch.zeros(width)
    done.state[f'{BRANCH}output_gate.weight'] = torch.zeros(width)
    done.notes.append('the file has no gates, and the released inference runs with gates of zero: '
                      'all are set so, branch and CLIP count half')


def num_layers(done: Conversion) -> int:
    """Layers of the branch in the weights."""
    return sum(name.startswith(f'{BRANCH}temporal.') and name.endswith('.norm.weight')
               for name in done.state)


def _keep_rows(done: Conversion, frames: int | None) -> None:
    """Keep the rows of the time embedding that were trained.

    Raises:
        ValueError: If there are not so many rows.
    """
    rows = done.state[TIME]
    name = done.released.recipe_sources()[TIME]
    if rows.ndim != 2 or not len(rows):
        raise ValueError(f'{name} is {tuple(rows.shape)} in the file, not rows of frames')
    if frames is not None and not 1 <= frames <= len(rows):
        raise ValueError(f'--frames must lie in 1..{len(rows)}, the rows of {name}, got {frames}')
    done.frames = frames or min(done.released.form.frames, len(rows))
    done.rows = len(rows)
    done.state[TIME] = rows[:done.frames].clone()


def _check_finite(done: Conversion) -> None:
    """Refuse weights that are not finite; rows of the time embedding that are dropped may be.

    Raises:
        ValueError: Naming the first.
    """
    sources = done.released.recipe_sources()
    for name, value in done.state.items():
        wide = value.float() if value.element_size() == 1 else value  # float8 has no isfinite
        if not bool(torch.isfinite(wide).all()):
            raise ValueError(f'{sources.get(name, name)} holds numbers that are not finite: is it '
                             'of a training that failed?')


def _choose_architecture(done: Conversion, path: str | Path | None) -> None:
    """Take the architecture from a file, else from the shapes, and say what they do not tell."""
    key = done.released.form.key
    if path is None:
        done.arch = infer(done.released)
        if key == 'clip':
            done.notes.append('assumed, as shapes do not tell: attention heads of 64 channels and '
                              "quick-GELU, as in OpenAI's CLIP")
        elif key == 'branch':
            done.notes.append(f"assumed: CLIP is OpenAI's ({OPENAI}), which the config fetches")
        return
    arch = read_arch(path)
    if key != 'eva' and not arch.get('quick_gelu', False):
        done.notes.append("--arch asks for GELU, but the released weights beside OpenAI's CLIP are "
                          'of quick-GELU; add "quick_gelu": true unless you know better')
    done.arch = named(arch)
    if key == 'branch':
        done.notes.append('CLIP\'s own weights are not in the file and stay random until '
                          'model.trunk.pretrained names them')


def _add_config(done: Conversion, configs: Path, arch: str | Path | None) -> None:
    """Make the config, and check the weights against its model.

    Raises:
        ValueError: If they do not fit, or no model can be built.
    """
    alone = done.released.form.key == 'branch'
    gated = f'{BRANCH}output_gate.weight' in done.state
    branch = dict(num_layers=num_layers(done) + alone, num_frames=done.frames,
                  combination='weighted' if gated else 'add')
    if alone:
        done.config = output.tokens_config(configs, done.arch if arch else None, branch)
    else:
        assert done.arch is not None
        mbta = any(name.startswith(MBTA) for name in done.state)
        done.config = output.retrieval_config(configs, done.arch, branch, mbta)
        if not mbta:
            done.notes.append("MBTA's projection is not in the file; the config trains without it")
    label = f'the architecture of {arch}' if arch else 'the architecture inferred from it'
    if alone and not arch:
        label = OPENAI
    try:
        model = output.build_without_weights(done.config)
    except UNBUILDABLE as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f'no model can be built of {label} with a branch of '
                         f"{branch['num_layers']} layers ({first_line})") from error
    output.check_fit(model, done.state, done.released.recipe_sources(), label, not alone)
    done.card = output.card_of(model, done.state, trunk=not alone)
    done.config[CARD] = done.card
    if not alone:
        output.fit_pipeline(done.config, model.trunk.image_size, model.text.context_length)


def write(done: Conversion, source: Path, out: Path, flags: list[str]) -> None:
    """Write what was made."""
    meta: dict[str, Any] = dict(
        mmbt_version=__version__, source=source.name, form=done.released.form.key,
        dropped=sorted(done.released.dropped), notes=list(done.notes))
    if done.card is not None:
        meta[CARD] = done.card
    text = None
    if done.config is not None:
        command = ['mmbt convert', source.name, out.name, *flags]
        head = [' '.join(command), '', f"The authors' released weights: {done.released.form.title}"]
        text = output.script(done.config, head + done.notes)
    output.write(dict(meta=meta, state_dict=done.state), out, text)
