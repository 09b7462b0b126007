"""Write what a frozen trunk makes of a data set's clips: what ``mmbt cache`` does."""
import hashlib
import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from mmbt.datasets.pipeline_fit import fit_pipeline, transforms_of
from mmbt.datasets.sample_index import mixed_seed
from mmbt.datasets.states.checking import check_space
from mmbt.datasets.states.layout import FILE_BYTES, JOURNAL, MANIFEST, StatesForm, file_name
from mmbt.datasets.transforms import FixedDraws
from mmbt.files.append_log import Journal
from mmbt.files.atomic import whole_file
from mmbt.models import VideoTextModel
from mmbt.models.init_model import init_model
from mmbt.models.states import name_of_mask
from mmbt.reading import VideoReadError

BATCH = 32  # clips a batch where the data loader does not say
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CacheOptions:
    """What is kept of each clip.

    Attributes:
        split: ``'train'``, ``'val'`` or ``'test'``: whose data.
        folder: Where to; None takes what the config's ``FixedDraws`` says.
        dtype: ``'float32'``, ``'bfloat16'`` or ``'float8'``.
        layers: Numbers of the layers; None: those that the config's backbone reads.
        visible: Keep the patches alone that a mask, drawn for each clip and draw, leaves visible.
        device: Where the trunk runs.
    """

    split: str = 'train'
    folder: str | None = None
    dtype: str = 'float32'
    layers: tuple[int, ...] | None = None
    visible: bool = False
    device: str = 'cpu'


def cache_states(config: Config, options: CacheOptions, checkpoint: str | None = None,
                 progress: Progress | None = None) -> dict[str, Any]:
    """Write the states of a config's clips, or what is left of them to write.

    Args:
        config: A training's or a test's; its data set's pipeline has a ``FixedDraws``.
        options: What is kept.
        checkpoint: Weights of the whole model, where the config names none.
        progress: Called with the number of records written and of all.

    Returns:
        ``folder``, ``records``, ``bytes`` and ``seconds``; ``exact``: whether states are the same
        bits in another order of a batch.

    Raises:
        ValueError: If the folder holds states of another model, list or sampling, the trunk is not
            frozen, or the pipeline has no ``FixedDraws``.
        FileNotFoundError: If data or weights are missing.
    """
    begin = time.time()
    init_default_scope(config.get('default_scope', 'mmaction'))
    dataset, draws, told = build_data(config, options)
    folder = Path(told)
    model = init_model(config, checkpoint or config.get('load_from'), options.device)
    if not model.trunk.frozen:
        raise ValueError('the trunk of this config is trained, and its states change with it: '
                         'only those of a frozen one can be kept (model.trunk.frozen)')
    fit_pipeline(dataset, model.trunk.card, model.trunk.text)
    writer = Writer(model, dataset, draws, options, batch_of(config, options.split))
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder / JOURNAL, writer.made_by) as journal:
        written = writer.write(folder, journal, progress)
    return dict(folder=str(folder), seconds=time.time() - begin, **written)


def build_data(config: Config, options: CacheOptions) -> tuple[Any, FixedDraws, str]:
    """The data set that reads frames, its ``FixedDraws``, and the folder of their states.

    Raises:
        ValueError: If there is no ``FixedDraws``, more than one, or no folder.
    """
    folder = folder_of(config, options)
    told = config[f'{options.split}_dataloader'].dataset.to_dict()
    fixed_draws_of(told, options.split)['states'] = None
    dataset = DATASETS.build(told)
    draws, = (step for step in transforms_of(dataset) if isinstance(step, FixedDraws))
    dataset.full_init()
    return dataset, draws, folder


def fixed_draws_of(dataset: Mapping[str, Any], split: str) -> dict[str, Any]:
    """The config of the ``FixedDraws`` in a data set's pipeline.

    Raises:
        ValueError: If there is none, or more than one.
    """
    parts = [step for step in dataset.get('pipeline', ()) if step.get('type') == 'FixedDraws']
    if len(parts) != 1:
        raise ValueError(f'the pipeline of the {split} data has {len(parts)} FixedDraws, and needs '
                         'one around what reads a clip and changes its frames; see '
                         'docs/recipes/pretraining.md')
    return parts[0]


def folder_of(config: Config, options: CacheOptions) -> str:
    """The folder of a config's states.

    Raises:
        ValueError: If nobody says it.
    """
    name = f'{options.split}_dataloader'
    if config.get(name) is None:
        raise ValueError(f'the config has no {name}; choose with --split')
    folder = options.folder or fixed_draws_of(config[name].dataset, options.split).get('states')
    if not folder:
        raise ValueError('say where the states go: --out FOLDER, or states=... in FixedDraws')
    return folder


def batch_of(config: Config, split: str) -> int:
    """Clips of a batch, as the data loader has them: the states are then computed as in a step."""
    return int(config[f'{split}_dataloader'].get('batch_size') or BATCH)


class Writer:
    """Computes records of a data set and writes them, a file after the other.

    Args:
        model: Whose trunk sees the clips.
        dataset: The clips.
        draws: The data set's transform that reads them.
        options: What is kept.
        batch: Clips that go through the trunk at once.
    """

    def __init__(self, model: VideoTextModel, dataset: Any, draws: FixedDraws,
                 options: CacheOptions, batch: int) -> None:
        self.model, self.dataset, self.draws, self.batch = model, dataset, draws, batch
        if options.visible and model.mask is None:
            raise ValueError('--visible keeps what a mask leaves, and the config has no model.mask')
        self.mask = model.mask if options.visible else None
        self.infos = [dataset.get_data_info(index) for index in range(len(dataset))]
        self.names = [str(info.get('video_id', info.get('filename'))) for info in self.infos]
        first = self._first_clip()
        layers = options.layers or layers_read(model, first)
        self.form = self._form(layers, first, options.dtype)
        self.made_by = dict(
            form=self.form.to_dict(), weights=model.trunk.mark, sampling=draws.sampling,
            mask=name_of_mask(self.mask) if options.visible else '',
            list=digest_of(self.names), torch=torch.__version__)

    def _first_clip(self) -> Tensor:
        """(1, T, 3, H, W) frames of the first clip that can be read."""
        for index in range(len(self.infos)):
            frames = self._frames(index, 0)
            if frames is not None:
                return frames[None]
        raise ValueError('no clip of the list can be read')

    def _form(self, layers: Sequence[int], clip: Tensor, dtype: str) -> StatesForm:
        trunk, frames = self.model.trunk, clip.shape[1]
        layers = tuple(sorted(set(layers)))
        if not 0 <= layers[0] <= layers[-1] <= trunk.num_layers:
            raise ValueError(f'layers are 0 to {trunk.num_layers} in this CLIP, got {layers}')
        visible: tuple[int, ...] = ()
        if self.mask is not None:
            visible = tuple(self._positions(0, 0, frames).shape)
        form = dict(layers=layers, frames=frames, width=trunk.width, dtype=dtype, visible=visible,
                    tokens=1 + (visible[-1] if visible else trunk.num_patches),
                    clip_len=self.clip_len or frames)
        size = StatesForm(**form, records=1).record_bytes
        return StatesForm(**form, records=max(1, FILE_BYTES // size // self.batch * self.batch))

    def _frames(self, index: int, draw: int) -> Tensor | None:
        """(T, 3, H, W) uint8 frames of a clip; None where it cannot be read."""
        results = dict(self.infos[index], sample_idx=index)
        try:
            results = self.draws.draw(results, draw)
        except VideoReadError as error:
            print(f'left out: {error}', flush=True)
            return None
        self.clip_len = int(results.get('clip_len') or 0)
        return torch.as_tensor(results['imgs'])

    def _positions(self, index: int, draw: int, frames: int) -> Tensor:
        """The positions that a clip's mask leaves visible, (N_vis,) or (T, N_vis)."""
        assert self.mask is not None
        state = torch.get_rng_state()
        torch.manual_seed(mixed_seed(self.draws.seed, draw, index, 1))
        try:
            return self.mask(1, frames, self.model.trunk.num_patches, torch.device('cpu'))[0]
        finally:
            torch.set_rng_state(state)

    def write(self, folder: Path, journal: Journal,
              progress: Progress | None = None) -> dict[str, Any]:
        """Write the files that the journal does not name, then the manifest."""
        total = len(self.infos) * self.draws.draws
        done = {each['file']: each['crc32'] for each in journal.records}
        numbers = range(-(-total // self.form.records))
        check_space(folder, total * self.form.record_bytes, done, self.form)
        exact = self.same_in_another_order()
        for number in numbers:
            name = file_name(number)
            if name not in done or not (folder / name).is_file():
                first = number * self.form.records
                places = range(first, min(first + self.form.records, total))
                sums = self._write_file(folder / name, places)
                journal.append(dict(file=name, crc32=sums))
                done[name] = sums
            if progress is not None:
                progress(min((number + 1) * self.form.records, total), total)
        sums = [each for number in numbers for each in done[file_name(number)]]
        manifest = dict(form=self.form.to_dict(), made_by=self.made_by, clips=len(self.infos),
                        draws=self.draws.draws, exact=exact, crc32=sums)
        with whole_file(folder / MANIFEST) as draft:
            draft.write_text(json.dumps(manifest), encoding='utf-8')
        return dict(records=total, bytes=total * self.form.record_bytes, exact=exact)

    def _write_file(self, path: Path, places: Sequence[int]) -> list[int]:
        """Write a file of records; return their checksums."""
        sums = []
        with whole_file(path) as draft, open(draft, 'wb') as file:
            for first in range(0, len(places), self.batch):
                for record in self._records(places[first:first + self.batch]):
                    sums.append(zlib.crc32(record))
                    file.write(record)
        return sums

    def _records(self, places: Sequence[int]) -> Iterator[bytes]:
        clips = [divmod(place, self.draws.draws) for place in places]
        frames = [self._frames(index, draw) for index, draw in clips]
        known = [each for each in frames if each is not None]
        states = iter(self._states(known))
        for (index, draw), each in zip(clips, frames):
            if each is None:
                yield self.form.broken()
                continue
            tokens, visible = next(states), None
            if self.mask is not None:
                visible = self._positions(index, draw, self.form.frames)
                kept = visible if visible.ndim == 2 else visible.expand(self.form.frames, -1)
                places_kept = kept[None, :, :, None].expand(len(tokens), -1, -1, tokens.shape[-1])
                tokens = torch.cat([tokens[:, :, :1],
                                    tokens[:, :, 1:].gather(2, places_kept)], dim=2)
            yield self.form.pack(self.names[index], tokens, visible)

    def _states(self, clips: Sequence[Tensor]) -> Iterator[Tensor]:
        """(layers, T, 1 + N, D) of each clip, as a batch of as many clips as a step has."""
        if not clips:
            return
        full = [*clips, *[clips[-1]] * (self.batch - len(clips))]
        data = self.model.data_preprocessor(dict(inputs=dict(imgs=full)))
        imgs = data['inputs']['imgs'].to(next(self.model.trunk.parameters()).dtype)
        with torch.no_grad():
            found = self.model.trunk.hidden_states(imgs, self.form.layers)
        tokens = [torch.cat([each.cls[:, :, None], each.patches], dim=2).cpu() for each in found]
        for place in range(len(clips)):
            yield torch.stack([each[place] for each in tokens])

    def same_in_another_order(self) -> bool:
        """Whether clips have the same bits at another place of a batch, beside other clips."""
        clips = [frames for frames in (self._frames(index, 0) for index in
                                       range(min(self.batch, len(self.infos))))
                 if frames is not None]
        here = list(self._states(clips))
        there = list(self._states(clips[::-1]))[::-1]
        return all(torch.equal(a, b) for a, b in zip(here, there))


def layers_read(model: VideoTextModel, clip: Tensor) -> tuple[int, ...]:
    """The layers of its trunk that a model's backbone reads."""
    with noted_layers(model.trunk) as noted, torch.no_grad():
        model.encode(model.data_preprocessor(dict(inputs=dict(imgs=list(clip))))['inputs']['imgs'])
    return tuple(sorted(noted))


@contextmanager
def noted_layers(trunk: nn.Module) -> Iterator[set[int]]:
    """Inside, the layers that are asked of a trunk are noted."""
    noted: set[int] = set()
    original = trunk.hidden_states

    def hidden_states(imgs: Tensor, layers: Sequence[int], visible: Tensor | None = None) -> Any:
        noted.update(layers)
        return original(imgs, layers, visible)

    trunk.hidden_states = hidden_states
    try:
        yield noted
    finally:
        del trunk.hidden_states


def digest_of(names: Sequence[str]) -> str:
    """A digest of a list of names in their order."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode('utf-8', 'surrogateescape') + b'\0')
    return digest.hexdigest()[:24]
