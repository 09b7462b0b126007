"""The page of a folder of weights, ``README.md`` as the Hugging Face hub shows it."""
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmbt.files.safe_load import in_line
from mmbt.models.card import ModelCard, show

HEAD = """---
library_name: mmbt
pipeline_tag: feature-extraction
tags:
- video
- video-text-retrieval
- mmbt
---

# {title}

{what}

```python
import mmbt

model = mmbt.load('OWNER/NAME')  # or the folder{clip}
model.search('videos/', 'a man opens a door')
```

## What it was made beside

"""
ROWS = dict(
    backbone='temporal model', arch='CLIP', pretrained="CLIP's weights in open_clip",
    depth='layers', width='channels', num_heads='heads', activation='activation',
    image_size='frame, pixels', mean='mean', std='standard deviation', resize_mode='resizing',
    interpolation='interpolation',
    tokenizer='tokenizer', context_length='tokens of a text at most',
    num_frames='frames in training', temperature='temperature',
    fingerprint="fingerprint of CLIP's first weights")


def page(card: ModelCard, state: Mapping[str, Tensor], whole: bool) -> str:
    """The page of a model.

    Args:
        card: Its card.
        state: The weights that lie beside it.
        whole: Whether CLIP is among them.
    """
    count = sum(value.numel() for name, value in state.items()
                if not name.startswith('fingerprint.'))
    beside = f'{plain(card.backbone)} beside {plain(card.arch)}'
    what = f'{count:,} numbers: ' + (
        'CLIP and what was trained beside it.' if whole else
        'what was trained beside CLIP, which is not among them. It is fetched by its name, and '
        'compared with the fingerprints that lie with the weights.')
    clip = '' if whole or card.pretrained else ', and clip=... with the weights of its CLIP'
    lines = ['| | |', '|---|---|']
    lines += [f'| {title} | {plain(getattr(card, name))} |' for name, title in ROWS.items()
              if getattr(card, name) is not None]
    return HEAD.format(title=beside, what=what, clip=clip) + '\n'.join(lines) + '\n'


def plain(value: Any) -> str:
    """A value for a cell of a table."""
    text = value if isinstance(value, str) else show(value)
    return in_line(text, 400).replace('|', '\\|')
