"""Films of plain colours, and a tiny model that tells them by their names."""
import av
import numpy as np
import torch
from mmengine.config import Config
from torch.nn.functional import normalize

from mmbt.apis import init_model
from mmbt.files.source import CARD
from mmbt.models.checkpoints.card_files import model_card

from .search_world import ARCH

COLOURS = dict(red=(1, 0, 0), green=(0, 1, 0), blue=(0, 0, 1), grey=(1, 1, 1), dark=(.1, .1, .1))


def write_film(path, *parts, rate=2, size=32):
    """Write a film of (colour, seconds), two frames a second."""
    with av.open(str(path), 'w') as file:
        stream = file.add_stream('libx264', rate=rate, options=dict(
            preset='ultrafast', crf='10', threads='1'))
        stream.width, stream.height, stream.pix_fmt = size, size, 'yuv420p'
        for colour, seconds in parts:
            for _ in range(round(seconds * rate)):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(picture(colour, size),
                                                                  format='rgb24')))
        file.mux(stream.encode())
    return str(path)


def picture(colour, size):
    """(size, size, 3) uint8."""
    return np.full((size, size, 3), np.array(COLOURS[colour]) * 200, np.uint8)


@torch.no_grad()
def save_teller(path, seed=0):
    """Save a frame mean of random weights, with its card, whose texts are the names of colours.

    The text tower's projection is solved for: a name's embedding is the picture's, less the mean of
    all.
    """
    torch.manual_seed(seed)
    model = init_model(Config(dict(default_scope='mmaction', model=dict(
        type='VideoTextModel', trunk=dict(type='OpenCLIPTrunk', arch=ARCH),
        backbone=dict(type='FrameMean')))))
    clips = [torch.from_numpy(picture(colour, 12)).permute(2, 0, 1)[None] for colour in COLOURS]
    imgs = model.data_preprocessor(dict(inputs=dict(imgs=clips)))['inputs']['imgs']
    wanted = normalize(model.encode_video(imgs), dim=-1)
    projection = model.text.transformer.text_projection
    width, channels = projection.shape
    parts = []
    for first in (0, width - channels):  # what the projection is given, by two looks through it
        projection.copy_(torch.eye(width)[:, first:first + channels])
        parts.append(model.encode_text(model.text.tokenize(list(COLOURS), ARCH['text_cfg'][
            'context_length'])))
    given = torch.cat([parts[0][:, :width - channels], parts[1]], dim=1)
    projection.copy_(torch.linalg.pinv(given) @ (wanted - wanted.mean(dim=0)))
    torch.save(dict(meta={CARD: model_card(model).to_dict()}, state_dict=model.state_dict()), path)
