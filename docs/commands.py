"""Write the options of every command into docs/cli.md; run by `python docs/commands.py`.

It loads ``mmbt/cli`` as ``tools/mmbt`` does, with the standard library alone.
"""
import argparse
import re
import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parent
MARK = '<!-- What follows is written by docs/commands.py. -->\n'


def page(cli):
    """The page as it is, with the options of a package of commands below the mark."""
    head, mark, _ = (DOCS / 'cli.md').read_text(encoding='utf-8').partition(MARK)
    assert mark, 'docs/cli.md has lost its mark'
    return head + MARK + ''.join(command(name, cli.parser_of(name, cli.load(name)))
                                 for name in cli.COMMANDS)


def command(name, parser):
    """The section of a command: what it says of itself, and its options or sub-commands."""
    paragraphs = re.split(r'\n\n+', parser.description.strip())
    said = '\n\n'.join(text for text in paragraphs if not text.startswith('    '))
    return f'\n## mmbt {name}\n\n{said}\n\n{options(name, parser)}'


def options(name, parser):
    """A table of a parser's options; where it has sub-commands, one for each."""
    subs = [action for action in parser._actions
            if isinstance(action, argparse._SubParsersAction)]
    if not subs:
        return table(parser)
    tables = {}  # sub-commands that take the same stand together
    helps = {action.dest: action.help for action in subs[0]._choices_actions}
    for choice, sub in subs[0].choices.items():
        tables.setdefault((helps.get(choice), table(sub)), []).append(choice)
    return '\n'.join(section(name, choices, said, rows)
                     for (said, rows), choices in tables.items())


def section(name, choices, said, rows):
    """The section of a sub-command, or of several that take the same."""
    if len(choices) > 1:
        return f"### mmbt {name} NAME\n\nNAME is one of {', '.join(choices)}.\n\n{rows}"
    said = f'{said[0].upper()}{said[1:]}.\n\n' if said else ''
    return f'### mmbt {name} {choices[0]}\n\n{said}{rows}'


def table(parser):
    """What a parser takes, a row each."""
    rows = [f'| `{written(action)}` | {told(action)} |' for action in parser._actions
            if not isinstance(action, argparse._HelpAction) and action.help != argparse.SUPPRESS]
    return '\n'.join(['| | |', '|---|---|', *rows]) + '\n'


def written(action):
    """How an option is written: its names and what it takes."""
    value = argparse.HelpFormatter('')._format_args(
        action, action.metavar or ('|'.join(map(str, action.choices)) if action.choices
                                   else action.dest.upper()))
    if not action.option_strings:
        return value.replace('|', '\\|')
    names = ', '.join(dict.fromkeys(each.replace('_', '-') for each in action.option_strings))
    return f'{names} {value}'.strip().replace('|', '\\|')


def told(action):
    """What its help says, with the default where it does not tell it."""
    text = (action.help or '').replace('|', '\\|')
    told_already = not action.option_strings or 'default' in text
    if told_already or action.default is False or action.default in (None, '', []):
        return text
    default = action.default if isinstance(action.default, list) else [action.default]
    return '; '.join(filter(None, [text, f"default: {' '.join(map(str, default))}"]))


if __name__ == '__main__':
    tool = runpy.run_path(str(DOCS.parent / 'tools/mmbt'))
    (DOCS / 'cli.md').write_text(page(tool['load_cli'](tool['find_cli']())), encoding='utf-8')
