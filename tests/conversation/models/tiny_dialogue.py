"""Tiny random dialogue models of transformers, and a tokenizer of single characters."""
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from ...support.tiny import stir
from ...support.tiny_towers import HF_CLIP, HF_EVA

SPECIAL = ['<pad>', '<s>', '</s>', '<unk>']
CHARACTERS = [chr(code) for code in range(32, 127)] + ['\n']
LANGUAGE = dict(vocab_size=101, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=512,
                bos_token_id=1, eos_token_id=2, pad_token_id=0)
QFORMER = dict(vocab_size=101, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
               intermediate_size=32, encoder_hidden_size=32, max_position_embeddings=256)
FRAMES = 4
BRANCH = dict(type='BTAdapter', num_layers=3, num_frames=FRAMES)


def tokenizer(start=True, marks=False):
    """One token for each character, ``<s>`` first; ``</s>`` within a text is one token too.

    With ``marks``, ``<im_start>`` and ``<im_end>`` are the tokens 101 and 102, as in LLaVA v1.
    """
    vocabulary = {token: number for number, token in enumerate(SPECIAL + CHARACTERS)}
    characters = Tokenizer(models.WordLevel(vocabulary, unk_token='<unk>'))
    characters.pre_tokenizer = pre_tokenizers.Split('', 'isolated')
    characters.decoder = decoders.Fuse()
    if start:
        characters.post_processor = processors.TemplateProcessing(
            single='<s> $A', special_tokens=[('<s>', 1)])
    if marks:
        characters.add_tokens(['<image>', '<im_start>', '<im_end>'])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=characters, bos_token='<s>', eos_token='</s>', pad_token='<pad>',
        unk_token='<unk>')


def ids(text):
    """The numbers of a text's characters; special tokens by hand."""
    return [(SPECIAL + CHARACTERS).index(character) for character in text]


def finished(model):
    """A model with random weights in double precision, every norm and bias included."""
    stir(model, 0.3)
    return model.double().eval()


def llava(**change):
    torch.manual_seed(0)
    return finished(transformers.LlavaForConditionalGeneration(transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**HF_CLIP),
        text_config=transformers.LlamaConfig(**LANGUAGE),
        image_token_index=100, **change)))


def instructblip(layers=4):
    """Its EVA has ``layers`` layers, the whole has one more."""
    torch.manual_seed(0)
    return finished(transformers.InstructBlipForConditionalGeneration(
        transformers.InstructBlipConfig(
            vision_config=dict(HF_EVA, num_hidden_layers=layers), qformer_config=QFORMER,
            text_config=dict(LANGUAGE, model_type='llama'), num_query_tokens=5,
            image_token_index=100)))


def blip2(layers=4):
    """The same, as MiniGPT-4's container."""
    torch.manual_seed(0)
    return finished(transformers.Blip2ForConditionalGeneration(transformers.Blip2Config(
        vision_config=dict(HF_EVA, num_hidden_layers=layers), qformer_config=QFORMER,
        text_config=dict(LANGUAGE, model_type='llama'), num_query_tokens=5,
        image_token_index=100)))


def videos(size=12, count=2):
    """(B, T, 3, H, W) random frames."""
    generator = torch.Generator().manual_seed(5)
    return torch.randn(count, FRAMES, 3, size, size, generator=generator, dtype=torch.float64)
