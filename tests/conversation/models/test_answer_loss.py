"""The loss of instruction tuning on logits of one's own."""
import math

import torch

from mmbt.conversation.tuning.answer_loss import IGNORED, answer_cross_entropy


def test_it_is_the_mean_over_the_answers_tokens_by_hand():
    """Two rows of three tokens in a vocabulary of two.

    Row 1 has two answer tokens behind its prompt, foretold with logits (0, 0) and (ln 3, 0), so
    with 1/2 and 3/4. Row 2 has one, foretold with (0, ln 3) as token 0: 1/4. What stands at the
    last place of a row foretells nothing, nor does what stands before a place that is ignored.
    """
    three = math.log(3)
    logits = torch.tensor([[[0., 0], [three, 0], [99, -99]], [[0, three], [7, -7], [-99, 99]]])
    labels = torch.tensor([[IGNORED, 1, 0], [IGNORED, 0, IGNORED]])
    expected = (math.log(2) + math.log(4 / 3) + math.log(4)) / 3
    torch.testing.assert_close(answer_cross_entropy(logits, labels), torch.tensor(expected))


def test_nothing_is_learned_where_nothing_is_told():
    """The gradient is zero at every place but those before an answer's tokens."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 6, 5, generator=generator, requires_grad=True)
    labels = torch.full((2, 6), IGNORED)
    labels[0, 3:] = torch.tensor([4, 1, 2])
    labels[1, 2:4] = torch.tensor([0, 2])
    answer_cross_entropy(logits, labels).backward()
    moved = logits.grad.abs().sum(dim=2) > 0
    assert moved.tolist() == [[False, False, True, True, True, False],
                              [False, True, True, False, False, False]]
    expected = logits.detach().softmax(dim=2)
    expected[0, [2, 3, 4], [4, 1, 2]] -= 1
    expected[1, [1, 2], [0, 2]] -= 1
    torch.testing.assert_close(logits.grad, expected * moved[..., None] / 5)


def test_half_precision_is_added_up_in_full():
    """4,001 tokens of a loss of about 16: a sum in float16 would end at infinity."""
    logits = torch.zeros(1, 4001, 2, dtype=torch.float16)
    logits[..., 0] = 16
    labels = torch.ones(1, 4001, dtype=torch.long)
    loss = answer_cross_entropy(logits, labels)
    assert loss.dtype is torch.float32
    torch.testing.assert_close(loss, torch.tensor(16 + math.log1p(math.exp(-16))))
