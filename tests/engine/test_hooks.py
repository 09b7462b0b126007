"""Hooks of training and evaluation."""
import logging
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmbt.engine import BranchFileHook, BrokenVideoHook, ClassPromptHook
from mmbt.models.branch_file import load_branch


class Model(nn.Module):
    """Counts how often its classes were set."""

    calls = 0
    cls_head = SimpleNamespace(classes=['run', 'sit'])

    def set_classes(self):
        self.calls += 1


def labelled(*classes):
    """A data loader whose labels count these classes."""
    return SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=list(classes))))


def test_class_names_are_encoded_before_each_evaluation():
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


@pytest.mark.parametrize('count, expected', [(3, ['3 broken videos skipped so far']), (0, [])])
def test_broken_videos_are_reported_where_there_are_any(count, expected, caplog):
    loader = SimpleNamespace(dataset=SimpleNamespace(num_broken=count))
    logger = logging.getLogger('test_hooks')
    with caplog.at_level(logging.WARNING, logger='test_hooks'):
        BrokenVideoHook().after_train_epoch(
            SimpleNamespace(train_dataloader=loader, logger=logger))
    assert [message.split(';')[0] for message in caplog.messages] == expected


def test_other_data_sets_need_no_count():
    runner = SimpleNamespace(train_dataloader=SimpleNamespace(dataset=[]), logger=None)
    BrokenVideoHook().after_train_epoch(runner)


def test_the_branch_is_written_apart_after_each_epoch(tmp_path):
    from ..models.tiny import build_model, stir
    model = build_model()
    stir(model.backbone.branch)
    logger = logging.getLogger('test_hooks')
    BranchFileHook().after_train_epoch(
        SimpleNamespace(model=model, work_dir=tmp_path, epoch=2, logger=logger))
    other = build_model()
    load_branch(other, tmp_path / 'branch_epoch_3.pth')
    for ours, theirs in zip(other.parameters(), model.parameters()):
        assert torch.equal(ours, theirs)
