"""Evaluate video conversation: answer a benchmark's questions, have them judged, report.

``python tools/converse.py answer CONFIG questions.json --videos videos/ --out RUN/general.json``
``python tools/converse.py judge RUN/general.json --metrics correctness detail context``
``python tools/converse.py exact RUN/msvd.json --set msvd_qa``
``python tools/converse.py report RUN [RUN ...] --out FOLDER``

CONFIG is one of configs/dialogue/. RUN is a folder for each model. The judge is a language model
behind an interface of chat completions, and takes its key from OPENAI_API_KEY. What was cut short
goes on where it was.
"""
import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from mmbt.conversation.judge import Judge

GENERATIVE = ('temporal', 'correctness', 'detail', 'context', 'consistency')
QA = ('msvd_qa', 'msrvtt_qa', 'activitynet_qa')
FEW = 5


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest='command', required=True)
    add_answer(commands)
    add_judge(commands)
    exact = commands.add_parser('exact', help='accuracy by words alone, which is not the paper\'s')
    exact.add_argument('answers', help='what `answer` wrote')
    exact.add_argument('--set', required=True, choices=QA, dest='metric')
    prompts = commands.add_parser('prompts', help='write the prompts of the judge, to change them')
    prompts.add_argument('out', help='the file, .json')
    report = commands.add_parser('report', help="results beside the paper's numbers")
    report.add_argument('runs', nargs='+', metavar='RUN', help='folders with results')
    report.add_argument('--out', required=True, help='folder for conversation.md, .json, .png')
    return parser.parse_args()


def add_answer(commands: argparse._SubParsersAction) -> None:
    """The subcommand that answers."""
    from mmengine.config import DictAction

    answer = commands.add_parser('answer', help='answer the questions of a benchmark')
    answer.add_argument('config', help='one of configs/dialogue/')
    answer.add_argument('questions', help='the published file')
    answer.add_argument('--answers', help='the answers, where they are a file of their own')
    answer.add_argument('--form', help='general, consistency or qa, as the keys tell; msrvtt or '
                        'msvd where videos are numbers')
    answer.add_argument('--videos', required=True, metavar='FOLDER', help='files, or folders of '
                        'frames')
    answer.add_argument('--mapping', metavar='FILE', help="MSVD's youtube_mapping.txt, where the "
                        'questions say vid7 and the files have the names of YouTube')
    answer.add_argument('--out', required=True, help='the file to write, .json')
    answer.add_argument('--skip-missing', action='store_true',
                        help='answer what can be where videos are missing')
    answer.add_argument('--branch', help="a branch file in the place of the config's")
    answer.add_argument('--batch-size', type=int, default=8, help='questions about one video at a '
                        'time; default: 8')
    answer.add_argument('--seed', type=int, default=0, help='of sampled answers; default: 0')
    answer.add_argument('--device', help='default: cuda where there is')
    answer.add_argument('--cfg-options', nargs='+', action=DictAction, default={},
                        help='changes of the config, such as model.dtype=float16')


def add_judge(commands: argparse._SubParsersAction) -> None:
    """The subcommand that has answers judged."""
    judge = commands.add_parser('judge', help='have answers judged by a language model')
    judge.add_argument('answers', help='what `answer` wrote, or another file of that form')
    judge.add_argument('--metrics', nargs='+', required=True, choices=GENERATIVE + QA,
                       metavar='METRIC', help=', '.join(GENERATIVE + QA))
    judge.add_argument('--model', default='gpt-3.5-turbo',
                       help="default: gpt-3.5-turbo, the paper's, which changes and is withdrawn: "
                       'numbers are comparable only where one judge gave them')
    judge.add_argument('--base-url', help="a server of your own; default: OpenAI's")
    judge.add_argument('--prompts', help='file of prompts in the place of ours')
    judge.add_argument('--temperature', type=float, help="default: the server's")
    judge.add_argument('--threads', type=int, default=8, help='requests at a time; default: 8')
    judge.add_argument('--retries', type=int, default=6,
                       help='of a request that is refused for the time being; default: 6')
    judge.add_argument('--timeout', type=float, default=60, help='seconds; default: 60')


def answer(args: argparse.Namespace) -> None:
    """Answer a set of questions."""
    import torch

    import mmbt  # noqa: F401  registers the models
    from mmbt.apis import answer_questions, init_dialogue
    from mmbt.conversation.questions import find_question_videos, read_questions
    from mmbt.engine.launch import load_config
    from mmbt.files.shown import printable

    questions = read_questions(args.questions, args.answers, args.form)
    paths, missing = find_question_videos(questions, args.videos, args.mapping)
    tell_missing(missing, len(missing) + len(paths), args)
    config = load_config(args.config)
    config.merge_from_dict(args.cfg_options)
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    torch.manual_seed(args.seed)  # what no file fills is the same when this goes on
    model = init_dialogue(config, args.branch, device)
    with tqdm(desc='answered', unit='video', total=len(paths) + len(missing)) as bar:
        failed = answer_questions(model, questions, paths, args.out, args.batch_size, args.seed,
                                  lambda done, total: bar.update(done - bar.n))
    left = sum(question.video in failed for question in questions)
    print(f'{args.out}: {len(questions) - left:,} of {len(questions):,} questions answered')
    for video, why in failed.items():
        print(printable(f'  {video}: {why}'), file=sys.stderr)
    if failed:
        sys.exit(f'error: {left:,} questions have no answer, since {len(failed):,} videos are '
                 'missing or cannot be read; run this again once they are there')


def tell_missing(missing: list[str], total: int, args: argparse.Namespace) -> None:
    """Name the videos that are missing, and stop unless they are to be skipped."""
    from mmbt.files.atomic import whole_file
    from mmbt.files.shown import printable
    path = f'{args.out}.missing.txt'
    if not missing:
        Path(path).unlink(missing_ok=True)  # of an earlier run
        return
    with whole_file(path) as draft:
        draft.write_text(''.join(f'{printable(video)}\n' for video in missing), encoding='utf-8')
    more = ', ...' if len(missing) > FEW else ''
    said = (f'{len(missing):,} of {total:,} videos are not in {args.videos}, all named in {path}: '
            f'{", ".join(map(printable, missing[:FEW]))}{more}')
    if not args.skip_missing or len(missing) == total:
        raise FileNotFoundError(f'{said}; put them there, or answer the others with '
                                '--skip-missing')
    print(said, file=sys.stderr)


def judge(args: argparse.Namespace) -> None:
    """Have answers judged, metric by metric."""
    from mmbt.conversation.judge import METRICS, PROMPTS, Judge, load_prompts, read_answers

    prompts = load_prompts(args.prompts) if args.prompts else PROMPTS
    answers = {name: read_answers(args.answers, METRICS[name]) for name in args.metrics}
    asked = Judge(args.model, args.base_url, args.temperature, args.retries, args.timeout)
    left = [judge_one(name, answers[name], asked, prompts, args) for name in answers]
    if any(left):
        sys.exit(f'error: {sum(left):,} answers are missing or could not be judged, and are in no '
                 'mean; run this again to try those that could not')


def judge_one(name: str, answers: list, asked: 'Judge', prompts: dict,
              args: argparse.Namespace) -> int:
    """Have answers judged by one metric; return how many were not."""
    from mmbt.conversation.judge import METRICS, judge_answers, result_path, summarize, write_json
    from mmbt.files.shown import printable

    out, prompt = result_path(args.answers, name), prompts[METRICS[name].prompt]
    with tqdm(desc=name, unit='answer', total=sum(bool(each.fields) for each in answers)) as bar:
        results = judge_answers(answers, name, asked, out, prompt, args.threads,
                                lambda done, total: bar.update(done - bar.n))
    made_by = dict(asked.settings, prompts=args.prompts or 'mmbt', answers=Path(args.answers).name)
    summary = summarize(name, answers, results, made_by)
    write_json(summary, out)
    print(f'{out}: {said(summary)}')
    for failure in summary['failures']:
        print(printable(f"  {failure['name']}: {failure['why']}"), file=sys.stderr)
    return summary['failed'] + summary['unanswered']


def said(summary: dict) -> str:
    """A result on one line."""
    counts = (f"{summary['judged']:,} of {summary['questions']:,} judged, {summary['failed']:,} "
              f"failed, {summary['unanswered']:,} unanswered")
    if not summary['judged']:
        return counts
    right = f"accuracy {summary['accuracy']:.1f}, " if 'accuracy' in summary else ''
    return (f"{summary['metric']} {right}score {summary['score_int']:.2f} "
            f"(of fractions {summary['score']:.2f}); {counts}")


def exact(args: argparse.Namespace) -> None:
    """Accuracy by words."""
    from mmbt.conversation.exact_match import exact_match
    from mmbt.conversation.judge import METRICS, read_answers, result_path, write_json

    answers = read_answers(args.answers, METRICS[args.metric])
    given = [each.fields for each in answers if each.fields]
    scores = exact_match([each['answer'] for each in given],
                         [each['prediction'] for each in given])
    out = result_path(args.answers, f'{args.metric}.exact')
    write_json(dict(metric=args.metric, **scores, questions=len(answers),
                    unanswered=len(answers) - len(given)), out)
    print(f"{out}: by words alone, not the paper's accuracy: equal {scores['equal']:.1f}, "
          f"contained {scores['contained']:.1f} of {len(given):,} answers")


def write_prompts(args: argparse.Namespace) -> None:
    """Write our prompts."""
    from mmbt.conversation.judge import PROMPTS, write_json
    if Path(args.out).exists():
        raise ValueError(f'{args.out} is there already; name another file')
    write_json({name: prompt._asdict() for name, prompt in PROMPTS.items()}, args.out)


def report(args: argparse.Namespace) -> None:
    """Write the report, and print its tables."""
    from mmbt.conversation.report import read_run, write_report

    runs = {name: read_run(folder) for name, folder in names_of(args.runs)}
    paths = write_report(runs, args.out)
    print(paths[0].read_text(encoding='utf-8'))
    print('wrote', *paths)


def names_of(folders: list[str]) -> list[tuple[str, str]]:
    """Runs by the names of their folders; by their paths where two have one name."""
    names = [Path(folder).resolve().name for folder in folders]
    return list(zip(names if len(set(names)) == len(names) else folders, folders))


def main() -> None:
    """Run the tool."""
    args = parse_args()
    warnings.simplefilter('ignore')
    from mmbt.engine.launch import run_tool
    work = dict(answer=answer, judge=judge, exact=exact, prompts=write_prompts,
                report=report)[args.command]
    run_tool(lambda: work(args))


if __name__ == '__main__':
    main()
