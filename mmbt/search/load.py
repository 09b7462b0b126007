"""``mmbt.load``: a model of video and text by its name, file or folder, without a config.

::

    import mmbt

    model = mmbt.load('clip-vit-l-14', device='cuda')
    videos = model.embed_videos('videos/')
    texts = model.embed_texts(['a man opens a door', 'rain on a window'])
    print(videos @ texts.T)
    print(model.search('videos/', 'a man opens a door', top=3))
    print(model.label('videos/', ['cooking', 'sport', 'music']))
"""
import difflib
import os
import re

import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope

from mmbt.models.checkpoints.card_files import model_card

from .loaded import LoadedModel, check_device, pipeline_of, to_place
from .pretrained import CONFIG, from_pretrained
from .released import PREFIX, released_checkpoint
from .weights_file import load_config, load_file

# Frame mean on open_clip's weights: the paper's baseline, with nothing trained on videos.
CLIPS = {
    'clip-vit-b-32': ('ViT-B-32-quickgelu', 'openai'),
    'clip-vit-b-16': ('ViT-B-16-quickgelu', 'openai'),
    'clip-vit-l-14': ('ViT-L-14-quickgelu', 'openai'),
    'clip-vit-l-14-336': ('ViT-L-14-336-quickgelu', 'openai'),
}
WEIGHTS = ('.pth', '.pt', '.bin', '.ckpt')
ON_HUB = re.compile(r'[\w.-]{1,96}/[\w.-]{1,96}')  # as the hub has it


def load(name: str | os.PathLike, device: str | torch.device = 'cpu', *,
         weights: str | os.PathLike | None = None, clip: str | None = None,
         frames: int | None = None, dtype: str | torch.dtype | None = None,
         revision: str | None = None) -> LoadedModel:
    """A model that takes files and texts: ``mmbt.load('clip-vit-l-14').embed_texts(['a dog'])``.

    Args:
        name: One of:

            - ``'clip-vit-b-32'``, ``'clip-vit-b-16'``, ``'clip-vit-l-14'``,
              ``'clip-vit-l-14-336'``: OpenAI's CLIP, the mean of its frames;
            - ``'released-NAME'``: a file of the authors', fetched and converted once;
            - a checkpoint or branch file, whose model card says the rest;
            - a config file of a zero-shot test, with ``weights``;
            - a folder of :func:`mmbt.apis.save_pretrained`, or its name on the Hugging Face hub.
        device: Where the model goes, such as ``'cuda'`` or ``'cuda:1'``.
        weights: The checkpoint of a config.
        clip: CLIP's weights for a branch without them, a file or one of open_clip's tags. None:
            those that its model card names.
        frames: Frames read of a video. None: as many as the branch was trained on, 12 of CLIP
            alone; a config says it itself.
        dtype: What the weights are cast to, such as ``'bfloat16'``. None leaves them.
        revision: Of a folder on the hub.

    Raises:
        FileNotFoundError: If a file is missing, or is to be fetched and cannot be.
        ValueError: If the name is unknown, or what it names is no model of video and text; the
            line says what to do.
    """
    name = os.fspath(name)
    check_device(device)
    is_config = name.endswith('.py')
    if weights is not None and not is_config:
        raise ValueError(f'weights= goes with a config file, and {name} is none: leave it out')
    if is_config and (frames is not None or clip is not None):
        raise ValueError(f'{name} is a config, which says frames and CLIP itself: leave frames= '
                         'and clip= out')
    if name.lower() in CLIPS:
        return load_clip(name.lower(), device, dtype, clip, frames)
    if name.lower().startswith(PREFIX):
        return load_file(str(released_checkpoint(name)), device, dtype, clip, frames)
    if os.path.isdir(name):
        return from_pretrained(name, device, clip=clip, frames=frames, dtype=dtype)
    if is_config:
        return load_config(name, None if weights is None else os.fspath(weights), device, dtype,
                           name)
    if os.path.isfile(name):
        return load_file(name, device, dtype, clip, frames)
    if name.endswith((*WEIGHTS, '.safetensors')):
        raise FileNotFoundError(f'{name} is missing')
    if ON_HUB.fullmatch(name):
        return from_pretrained(name, device, clip=clip, frames=frames, dtype=dtype,
                               revision=revision)
    close = difflib.get_close_matches(name.lower(), CLIPS, n=2, cutoff=0)
    raise ValueError(f'{name!r} names no model: the nearest names are {" and ".join(close)}; a '
                     f'file or a folder with {CONFIG} of that name is not here either')


def load_clip(name: str, device: str | torch.device, dtype: str | torch.dtype | None,
              clip: str | None, frames: int | None) -> LoadedModel:
    """CLIP itself, the mean of its frames."""
    arch, tag = CLIPS[name]
    config = dict(type='VideoTextModel', backbone=dict(type='FrameMean'),
                  trunk=dict(type='OpenCLIPTrunk', arch=arch, pretrained=clip or tag))
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(config)
    pipeline = pipeline_of(model_card(model), name, frames)
    return LoadedModel(to_place(model, device, dtype).eval(), pipeline, name=name)
