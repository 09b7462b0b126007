"""Clips that are made once for all tests of the reader."""
import functools

import pytest

from tests.support.conformance_clips import CLIPS
from tests.support.in_order_reference import decode_in_order


@pytest.fixture(scope='session')
def make_clip(tmp_path_factory):
    """From a name of the conformance grid to its file."""
    folder = tmp_path_factory.mktemp('grid')
    return functools.lru_cache(maxsize=None)(lambda name: CLIPS[name].make(folder))


@pytest.fixture(scope='session')
def reference(make_clip):
    """From a name of the conformance grid to what decoding it in order gives."""
    return functools.lru_cache(maxsize=None)(lambda name: decode_in_order(make_clip(name)))
