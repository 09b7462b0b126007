"""Weights remember the file they are from and the card that it brings, whoever wrote the file."""
from collections import OrderedDict

import pytest
import torch

from mmbt.files.source import CARD, source_of, with_source

WEIGHT = torch.ones(2)
TOLD = {'file': 'a.pth', CARD: dict(activation='gelu')}


def ordered(metadata):
    state = OrderedDict(w=WEIGHT)
    state._metadata = metadata
    return state


@pytest.mark.parametrize('state', [
    dict(w=WEIGHT), OrderedDict(w=WEIGHT), ordered(None), ordered(7), ordered({'': 'x'}),
    ordered({'': dict(version=1, file='b.pth', model_card='theirs')})])
def test_weights_of_every_form_are_told(state):
    checkpoint = with_source(dict(meta={CARD: TOLD[CARD]}, state_dict=state), 'a.pth')
    known = source_of(checkpoint['state_dict'])
    assert {key: known[key] for key in TOLD} == TOLD
    assert dict(checkpoint['state_dict']) == dict(w=WEIGHT)
    bare = with_source(state, 'a.pth')
    assert source_of(bare)['file'] == 'a.pth' and source_of(bare)[CARD] is None


def test_what_modules_tell_of_themselves_is_kept():
    model = torch.nn.Linear(1, 1)
    state = with_source(dict(state_dict=model.state_dict()), 'a.pth')['state_dict']
    assert source_of(state)['version'] == 1
    model.load_state_dict(state)


@pytest.mark.parametrize('odd', [None, 7, [], dict(meta=3, state_dict='x'), torch.ones(1)])
def test_what_holds_no_weights_is_let_be(odd):
    assert with_source(odd, 'a.pth') is odd
    assert source_of(odd) == {}
