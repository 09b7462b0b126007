"""Evaluate video conversation: answer a benchmark's questions, have them judged, report.

    mmbt converse answer CONFIG questions.json --videos videos/ --out RUN/general.json
    mmbt converse judge RUN/general.json --metrics correctness detail context
    mmbt converse exact RUN/msvd.json --set msvd_qa
    mmbt converse report RUN [RUN ...] --out FOLDER

CONFIG is one of configs/dialogue/. RUN is a folder for each model. The judge is a language model
behind an interface of chat completions, and takes its key from OPENAI_API_KEY. What was cut short
goes on where it was.
"""
import argparse
import sys

from .options import add_cfg_options, add_device, config_of, pick_device

# Named here too, so that --help need not import torch.
GENERATIVE = ('temporal', 'correctness', 'detail', 'context', 'consistency')
QA = ('msvd_qa', 'msrvtt_qa', 'activitynet_qa')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is done, to which file."""
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


def add_answer(commands: argparse._SubParsersAction) -> None:
    """The subcommand that answers."""
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
    add_device(answer)
    add_cfg_options(answer, 'model.dtype=float16')


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


def run(args: argparse.Namespace) -> None:
    """Do it."""
    dict(answer=answer, judge=judge, exact=exact, prompts=prompts,
         report=report)[args.command](args)


def answer(args: argparse.Namespace) -> None:
    """Answer a set of questions."""
    from mmbt.conversation.benchmarks import answer_benchmark, find_benchmark
    found = find_benchmark(args.questions, args.videos, args.out, args.answers, args.form,
                           args.mapping, args.skip_missing)
    left, failed = answer_benchmark(config_of(args), found, args.out, args.branch, args.batch_size,
                                    args.seed, pick_device(args.device))
    if failed:
        sys.exit(f'error: {left:,} questions have no answer, since {len(failed):,} videos are '
                 'missing or cannot be read; run this again once they are there')


def judge(args: argparse.Namespace) -> None:
    """Have answers judged, metric by metric."""
    from mmbt.conversation.benchmarks import judge_benchmark
    from mmbt.conversation.judge import Judge
    left = judge_benchmark(
        args.answers, args.metrics, args.prompts, args.threads,
        lambda: Judge(args.model, args.base_url, args.temperature, args.retries, args.timeout))
    if left:
        sys.exit(f'error: {left:,} answers are missing or could not be judged, and are in no mean; '
                 'run this again to try those that could not')


def exact(args: argparse.Namespace) -> None:
    """Accuracy by words."""
    from mmbt.conversation.benchmarks import exact_benchmark
    print(exact_benchmark(args.answers, args.metric))


def prompts(args: argparse.Namespace) -> None:
    """Write our prompts."""
    from mmbt.conversation.benchmarks import write_prompts
    write_prompts(args.out)


def report(args: argparse.Namespace) -> None:
    """Write the report, and print its tables."""
    from mmbt.conversation.benchmarks import report_runs
    paths = report_runs(args.runs, args.out)
    print(paths[0].read_text(encoding='utf-8'))
    print('wrote', *paths)
