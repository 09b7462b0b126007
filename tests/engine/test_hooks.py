"""Hooks of training and evaluation."""
import json
import logging
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmbt.engine import BranchFileHook, BrokenVideoHook, ClassPromptHook
from mmbt.models.checkpoints.branch_file import load_branch

from ..support.processes import run_splits
from .broken_ranks import Videos, report, work

pytestmark = pytest.mark.slow


class Model(nn.Module):
    """Counts how often its classes' features were forgotten."""

    calls = 0
    cls_head = SimpleNamespace(classes=['run', 'sit'])

    def forget_classes(self):
        self.calls += 1


def labelled(*classes):
    """A data loader whose labels count these classes."""
    return SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=list(classes))))


def test_class_names_are_encoded_anew_in_each_evaluation():
    hook = ClassPromptHook()
    runner = SimpleNamespace(
        model=Model(), val_dataloader=labelled('run', 'sit'),
        test_dataloader=SimpleNamespace(dataset=[]))
    hook.before_val(runner)
    hook.before_test(runner)
    assert runner.model.calls == 2


@pytest.mark.parametrize('classes', [('run', ), ('sit', 'run')])
def test_labels_of_other_classes_are_refused(classes):
    runner = SimpleNamespace(model=Model(), test_dataloader=labelled(*classes))
    with pytest.raises(ValueError, match='not the same; set class_file and class_names'):
        ClassPromptHook().before_test(runner)
    assert runner.model.calls == 0


def test_broken_videos_are_reported_where_there_are_any():
    assert report(BrokenVideoHook(), Videos(1, 5, 6)) == [
        '3 broken videos skipped so far; each is named above']
    assert report(BrokenVideoHook(), Videos()) == []


def test_a_report_names_what_other_processes_met(tmp_path):
    """Two processes with one video in common; the second epoch names what is new."""
    start = ' broken videos skipped so far; each is named above'
    run_splits(dict(both=[1, 1]), work, tmp_path)
    more = ' or is one of these, met by other processes: '
    first, second = (json.loads((tmp_path / f'{rank}.json').read_text()) for rank in (0, 1))
    assert first == [[f'4{start}{more}5.mp4 and 1 more'], [f'5{start}{more}6.mp4 and 1 more'], []]
    assert second == [[f'4{start}{more}1.mp4'], [f'5{start}'], []]


def test_other_data_sets_need_no_count():
    runner = SimpleNamespace(train_dataloader=SimpleNamespace(dataset=[]), logger=None)
    BrokenVideoHook().after_train_epoch(runner)


def test_the_branch_is_written_apart_after_each_epoch(tmp_path):
    from ..support.tiny import build_model, stir
    model = build_model()
    stir(model.backbone.branch)
    logger = logging.getLogger('test_hooks')
    BranchFileHook().after_train_epoch(
        SimpleNamespace(model=model, work_dir=tmp_path, epoch=2, logger=logger, hooks=[]))
    other = build_model()
    load_branch(other, tmp_path / 'branch_epoch_3.pth')
    for ours, theirs in zip(other.parameters(), model.parameters()):
        assert torch.equal(ours, theirs)
