"""A clip's frames drawn a fixed number of times: what a frozen trunk makes of them stays."""
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..sample_index import SampleIndex, mixed_seed, seed_host
from ..states import StatesReader

# Settings of transforms that change no pixel.
IDLE = ('cache', 'isolated', 'deadline', 'num_threads', 'max_pixels')


@TRANSFORMS.register_module()
class FixedDraws(BaseTransform):
    """Read, crop and resize a clip in one of a few ways that its place in the list decides.

    The transforms inside draw from random numbers seeded by the clip, the draw and ``seed`` alone,
    and those outside draw what they would without. In an epoch e of a ``ResumableSampler`` a clip
    has draw ``e % draws``, so that with as many draws as epochs no epoch sees the frames of
    another; of another sampler's it is one at random.

    With ``states`` nothing is read but what ``mmbt cache`` wrote of the same list with the same
    transforms: the tokens of a frozen CLIP that a backbone reads, in place of frames. Training and
    testing are then what they are from frames; on a CPU, of states in float32, bit for bit.

    Required keys: ``sample_idx``, which MMEngine's data sets give (else it is 0), and what the
    transforms need.

    Added keys: what the transforms add; with ``states``, these (and ``clip_len``) alone, for
    ``PackVideoText``.

    Args:
        transforms: Configs of what reads a clip and whatever changes its frames, ``FormatShape``
            with ``input_format='NCHW'`` last.
        draws: How many draws a clip has.
        seed: Of the draws.
        states: Folder of the states; None reads frames.

    Raises:
        ValueError: If ``draws`` is below 1; when the first clip is read, if the states are of other
            transforms or of another list.
        FileNotFoundError: When the first clip is read, if the states are not there.
    """

    def __init__(self, transforms: Sequence[dict], draws: int = 1, seed: int = 0,
                 states: str | None = None) -> None:
        if draws < 1:
            raise ValueError(f'FixedDraws: draws must be at least 1, got {draws}')
        self.sampling = dict(transforms=[plain(each) for each in transforms], draws=draws,
                             seed=seed)
        self.transforms = [TRANSFORMS.build(dict(each)) for each in transforms]
        self.draws, self.seed, self.states = draws, seed, states
        self._reader: StatesReader | None = None

    @property
    def reader(self) -> StatesReader:
        """The states, opened at first use."""
        if self._reader is None:
            assert self.states is not None
            reader = StatesReader(self.states)
            reader.check_sampling(self.sampling)
            self._reader = reader
        return self._reader

    def transform(self, results: dict) -> dict:
        """Add a draw's frames or states to ``results``; see the class."""
        draw = self.draw_of(results.setdefault('sample_idx', 0))
        return self.draw(results, draw) if self.states is None else self.read(results, draw)

    def draw_of(self, index: int) -> int:
        """The draw that is this time's."""
        if self.draws == 1:
            return 0
        epoch = index.epoch if isinstance(index, SampleIndex) else None
        return int(np.random.randint(self.draws)) if epoch is None else epoch % self.draws

    def draw(self, results: dict, draw: int) -> dict:
        """Add the frames of one of the draws to ``results``."""
        with random_numbers_of(mixed_seed(self.seed, draw, int(results['sample_idx']))):
            return self._run(results, 'transform')

    def read(self, results: dict, draw: int) -> dict:
        """Add the states of one of the draws to ``results``."""
        reader = self.reader
        name = str(results.get('video_id', results.get('filename')))
        found = reader.read(int(results['sample_idx']), draw, name)
        return self._with_states(results, found)

    def blank(self, results: dict) -> dict:
        """Add black frames, or states of zeros, to ``results`` instead of reading its clip."""
        if self.states is None:
            return self._run(results, 'blank')
        form = self.reader.form
        return self._with_states(results, form.unpack(bytearray(form.record_bytes)))

    def _run(self, results: dict, name: str) -> dict:
        for each in self.transforms:
            results = getattr(each, name, each)(results)
        return results

    def _with_states(self, results: dict, found: dict[str, Any]) -> dict:
        reader = self.reader
        found.update(layers=torch.tensor(reader.form.layers), weights=reader.made_by['weights'],
                     mask=reader.made_by['mask'])
        results.update(states=found, clip_len=reader.form.clip_len)
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(transforms={self.transforms}, draws={self.draws}, '
                f'seed={self.seed}, states={self.states!r})')


@contextmanager
def random_numbers_of(seed: int) -> Iterator[None]:
    """Inside, random numbers are those of a seed; outside, as if nothing had been drawn."""
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed_host(seed)
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.set_rng_state(kept[2])


def plain(value: Any) -> Any:
    """A transform's config as JSON has it, without what changes no pixel."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items() if key not in IDLE}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
