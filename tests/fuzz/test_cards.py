"""Malformed cards and preprocessing files: a value, or one line that names the file."""
import json
from functools import lru_cache

import pytest

from mmbt.models.card import ModelCard
from mmbt.models.checkpoints.card_files import model_card
from mmbt.models.families.preprocessing import beside, json_dict, of_folder, settled

from ..support.fuzz import Door, fuzz
from ..support.tiny import build_model

pytestmark = pytest.mark.slow

HALF = dict(mean=[0.5, 0.5, 0.5], std=[0.5, 0.25, 0.5], resize_mode='squash',
            interpolation='bicubic')


@lru_cache
def own():
    """The card of a tiny model."""
    return model_card(build_model())


def written(name, content):
    """Makes a file of JSON below a folder."""
    def examples(folder):
        path = folder / name
        path.write_text(json.dumps(content() if callable(content) else content))
        return [path]
    return examples


def read_card(path):
    """Read a card, and compare it as loading does."""
    card = ModelCard.from_dict(json_dict(path), str(path))
    return list(own().differences(card)), card.to_dict()


DOORS = [
    Door('model card', written('card.json', lambda: own().to_dict()), read_card),
    Door('preprocessing of open_clip', written('open_clip_config.json', dict(preprocess_cfg=HALF)),
         lambda path: settled(beside(path.with_name('weights.pt')), None)),
    Door('preprocessing of Hugging Face',
         written('preprocessor_config.json', dict(image_mean=HALF['mean'], image_std=HALF['std'])),
         lambda path: settled(of_folder(str(path.parent)), None)),
]


@pytest.mark.parametrize('door', DOORS, ids=lambda door: door.name)
def test_malformed_files_are_refused_in_a_line(door, tmp_path):
    tally = fuzz(door, tmp_path, count=300)
    assert tally.faults == [] and tally.refused > 50
