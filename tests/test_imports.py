"""Imports between the rooms of the package go one way."""

import ast

from tests.helpers import ROOT

# A room may import from rooms of a later line only, and from itself.
FLOORS = [
    {'apis'},
    {'export', 'visualization', 'preparation'},
    {'engine', 'evaluation'},
    {'models'},
    {'datasets', 'weights'},
    {'utils', 'version', 'mmcv_ops'},
]
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}
PACKAGE = ROOT / 'uniemox_mm'


def imported(path):
    """Dotted names of what a file imports, anywhere in it."""
    package = ('uniemox_mm', *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            kept = len(package) + 1 - node.level if node.level else 0
            module = '.'.join((*package[:kept], node.module or ''))
            yield from (f'{module}.{alias.name}' for alias in node.names)


def test_no_room_imports_from_above():
    wrong = []
    for path in PACKAGE.glob('*/**/*.py'):
        room = path.relative_to(PACKAGE).parts[0]
        for name in imported(path):
            package, _, rest = name.partition('.')
            other = rest.partition('.')[0]
            up = package == 'uniemox_mm' and (
                FLOOR.get(other, len(FLOORS)) <= FLOOR[room] and other != room
            )
            if up or package in ('tools', 'tests'):
                wrong.append(f'{path.relative_to(PACKAGE)}: {name}')
    assert wrong == []
