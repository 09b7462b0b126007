"""Hooks of training and evaluation."""
import logging
from types import SimpleNamespace

import pytest
from torch import nn

from mmbt.engine import BrokenVideoHook, ClassPromptHook


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
    with pytest.raises(ValueError, match='not the same; set class_file'):
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
