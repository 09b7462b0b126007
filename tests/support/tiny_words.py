"""A tiny CLIP whose text tower reads captions as MetaCLIP 2's does, with a tokenizer of words."""
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from .tiny import TINY

CAPTIONS = ['a man opens a door', 'a dog runs', 'rain']
WORDS = ['<pad>', '</s>', '<unk>', *['a', 'man', 'opens', 'door', 'dog', 'runs', 'rain']]


def save_words(path):
    """Write the tokenizer: an id for each word, and ``</s>``, id 1, at the end of a text."""
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token='<unk>'))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single='$A </s>', special_tokens=[('</s>', 1)])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token='</s>', pad_token='<pad>',
        unk_token='<unk>').save_pretrained(path)


def arch_of(name, **settings):
    """The CLIP, which reads captions at the id 1, with the tokenizer of a folder."""
    return dict(TINY, text_cfg=dict(
        TINY['text_cfg'], vocab_size=49408, pool_type='eos', eos_id=1, hf_tokenizer_name=str(name),
        tokenizer_kwargs=dict(clean='canonicalize', **settings)))
