"""Imports run one way through the rooms, and docstrings are of one style in all of them."""
import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = (
    {'version', 'files'}, {'reading', 'models', 'compat'}, {'datasets'}, {'evaluation', 'engine'},
    {'search', 'conversation'}, {'apis', 'app'}, {'lab'}, {'cli'}, {'__main__'},
)
"""From the ground up: a room imports from lower floors alone."""

FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
FILES = {'.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__'): path
         for path in sorted((ROOT / 'mmbt').rglob('*.py')) if '.mim' not in path.parts}


def imported(name):
    """The package's modules that a module imports, anywhere in it."""
    path, found = FILES[name], set()
    package = name.split('.') if path.name == '__init__.py' else name.split('.')[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[:len(package) - node.level + 1] if node.level else []
            module = '.'.join([*above, *([node.module] if node.module else [])])
            found |= {f'{module}.{alias.name}' if f'{module}.{alias.name}' in FILES else module
                      for alias in node.names}
    return (found & set(FILES)) - {name}


IMPORTS = {name: imported(name) for name in FILES}


def room(name):
    """``'models'`` of ``'mmbt.models.masks'``; nothing of ``'mmbt'`` itself."""
    return name.split('.')[1] if '.' in name else None


@pytest.mark.parametrize('name', sorted(set(map(room, FILES)) - {None}))
def test_a_room_imports_from_lower_floors_alone(name):
    upward = {(module, other) for module in FILES if room(module) == name
              for other in IMPORTS[module]
              if room(other) not in (name, None) and FLOOR[room(other)] >= FLOOR[name]}
    assert upward == set()


def test_imports_are_relative_inside_a_room_and_absolute_across():
    odd = set()
    for name, path in FILES.items():
        place, own = path.relative_to(ROOT).parts[:-1], f'mmbt.{room(name)}'
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if not isinstance(node, ast.ImportFrom) or len(place) < 2:
                continue
            leaves = node.level > len(place) - 1
            by_full_name = f'{node.module}.'.startswith(f'{own}.') and not node.level
            if leaves or by_full_name:
                odd.add(f'{name} line {node.lineno}')
    assert odd == set()


def test_the_package_imports_neither_laboratory_nor_command():
    """Importing it registers what configs name, and pays for nothing else."""
    assert set(map(room, IMPORTS['mmbt'])) == {
        'compat', 'conversation', 'datasets', 'engine', 'evaluation', 'models', 'version'}


def test_the_reader_needs_nothing_of_the_package_but_whole_files():
    used = {other for name in FILES if room(name) == 'reading' for other in IMPORTS[name]
            if room(other) != 'reading'}
    assert used == {'mmbt.files.append_log', 'mmbt.files.atomic'}


def reached(name):
    """All modules that a module needs, through others too."""
    found, waiting = set(), [name]
    while waiting:
        for other in IMPORTS[waiting.pop()] - found:
            found.add(other)
            waiting.append(other)
    return found


def test_no_module_needs_itself():
    assert [name for name in FILES if name in reached(name)] == []


def test_what_trunks_are_made_of_knows_nothing_of_files_of_weights():
    """The vision transformer, its families and the model card stand below ``checkpoints``."""
    below = ['vit', 'layer', 'trunk', 'card', 'fingerprint', 'families.names',
             'families.open_clip', 'families.hugging_face']
    needed = {other for name in below for other in reached(f'mmbt.models.{name}')}
    assert not [other for other in needed if other.startswith('mmbt.models.checkpoints')]
    assert IMPORTS['mmbt.models.layer'] == {'mmbt.models.rotary'}
    assert IMPORTS['mmbt.models.families.names'] == set()


TYPED = re.compile(r' +\*{0,2}\w+(, \w+)* \(\w[^()]*(\([^()]*\)[^()]*)*\): ')
"""Of an argument in a docstring: a type, which its signature tells."""


def test_types_stand_in_signatures_and_not_in_docstrings():
    assert TYPED.match('    path (str, optional): The file.')
    typed = {f'{name}: {line.strip()}' for name, path in FILES.items()
             for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
             if isinstance(node, ast.ClassDef | ast.FunctionDef)
             for line in (ast.get_docstring(node) or '').partition('Args:\n')[2]
             .partition('\n\n')[0].splitlines() if TYPED.match(line)}
    assert typed == set()
