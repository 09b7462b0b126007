"""What the tests of this folder share."""
import pytest
import torch

from ..support.tiny import CLIPS, FRAMES


@pytest.fixture
def batch():
    """Normalised frames and captions of three clips."""
    generator = torch.Generator().manual_seed(2)
    imgs = torch.randn(CLIPS, FRAMES, 3, 12, 12, generator=generator, dtype=torch.float64)
    tokens = torch.tensor([[58, 3, 59, 0, 0], [58, 4, 5, 59, 0], [58, 6, 7, 8, 59]])
    return dict(imgs=imgs, tokens=tokens)
