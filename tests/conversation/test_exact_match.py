"""Accuracy by words."""
import pytest

from mmbt.conversation.exact_match import exact_match, normalize


@pytest.mark.parametrize('text, words', [
    ('The  Dog.', 'dog'), ('a man, an apple', 'man apple'), ("It's T-shirt", 'it s t shirt'),
    ('ﬁre', 'fire'), ('theatre and another', 'theatre and another'), (' ... ', ''),
])
def test_words_alone_count(text, words):
    assert normalize(text) == words


def test_equal_and_contained_by_hand():
    """Of five: two equal, two more contain, `cat` is no word of `category`."""
    answers = ['dog', 'two men', 'cat', 'red', 'yes']
    said = ['A dog!', 'There are the two men.', 'a category', 'It is Red', 'Yes']
    assert exact_match(answers, said) == dict(equal=pytest.approx(40), contained=pytest.approx(80))


def test_the_order_of_words_counts():
    assert exact_match(['two men', 'two men'], ['men two', 'two old men']) == dict(
        equal=0, contained=0)


def test_an_answer_without_words_is_in_no_sentence():
    assert exact_match(['a', '?'], ['the dog', '!']) == dict(equal=50, contained=50)


@pytest.mark.parametrize('answers, said', [([], []), (['a'], [])])
def test_nothing_to_compare_is_an_error(answers, said):
    with pytest.raises(ValueError, match='must be as many, and one at least'):
        exact_match(answers, said)
