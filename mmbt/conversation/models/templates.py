"""How each dialogue model was taught to be asked."""
from collections.abc import Sequence
from dataclasses import dataclass, replace

VIDEO = '<video>'
"""Where the video's tokens stand in a prompt."""

Round = tuple[str, str]


@dataclass(frozen=True)
class Template:
    """A prompt, from the question and the rounds before it.

    Attributes:
        system: What stands before the first round.
        first: The first question's turn; ``{video}`` is where the video stands, ``{question}``
            the question.
        turn: A later question's turn.
        answer: An earlier answer's turn; ``{answer}`` is the answer.
        stop: Text at which an answer ends, besides the end of a sequence; empty for none.
        rounds: Whether earlier rounds can be told.
    """

    system: str
    first: str
    turn: str
    answer: str
    stop: str = ''
    rounds: bool = True

    def prompt(self, question: str, history: Sequence[Round] = ()) -> str:
        """The prompt, with :data:`VIDEO` once, up to where the answer begins.

        Args:
            question: What is asked now.
            history: Earlier questions and their answers, in order.

        Raises:
            ValueError: If a text contains :data:`VIDEO`, the question is empty, or the model
                knows no earlier rounds.
        """
        asked = [*(text for text, _ in history), question]
        if not question.strip():
            raise ValueError('the question is empty; ask something about the video')
        for text in [*asked, *(answer for _, answer in history)]:
            if VIDEO in text:
                raise ValueError(f'{VIDEO} is where the video stands and no word of a question or '
                                 f'an answer, got {text!r}')
        if history and not self.rounds:
            raise ValueError('this model knows single questions; leave out the earlier rounds')
        text = self.system
        for number, each in enumerate(asked):
            turn = self.turn if number else self.first
            text += turn.replace('{video}', VIDEO).replace('{question}', each)
            if number < len(history):
                text += self.answer.replace('{answer}', history[number][1])
        return text


LLAVA_V1 = Template(
    'A chat between a curious human and an artificial intelligence assistant. '
    "The assistant gives helpful, detailed, and polite answers to the human's questions. ",
    first='USER: {video}\n{question} ASSISTANT:',
    turn='USER: {question} ASSISTANT:',
    answer=' {answer}</s>')
MINIGPT4 = ('Give the following image: <Img>ImageContent</Img>. You will be able to see the image '
            'once I provide it to you. Please answer my questions.')

TEMPLATES: dict[str, Template] = {
    'llava_v1': LLAVA_V1,
    'llava_v1.5': replace(LLAVA_V1, system=LLAVA_V1.system.replace('human', 'user')),
    'instructblip': Template('', '{video}{question}', '', '', rounds=False),
    'minigpt4_vicuna': Template(
        MINIGPT4,
        first='###Human: <Img>{video}</Img> {question}###Assistant: ',
        turn='###Human: {question}###Assistant: ',
        answer='{answer}',
        stop='###'),
    'minigpt4_llama2': Template(
        MINIGPT4,
        first='<s>[INST] <Img>{video}</Img> {question} [/INST] ',
        turn='<s>[INST] {question} [/INST] ',
        answer='{answer}'),
}
