"""Names out of files and folders are shown and not obeyed."""

from uniemox_mm.apis.predict import text_table
from uniemox_mm.utils.terminal_text import printable


def test_what_a_terminal_would_obey_is_escaped():
    assert printable('Größe 1 é 夜') == 'Größe 1 é 夜'
    assert printable('a\x1b]0;b\x07\n\udcff') == r'a\x1b]0;b\x07\n\udcff'


def test_names_of_files_in_the_table():
    result = dict(path='a\x1b[2J.jpg', scores=dict(awe=1.0))
    assert text_table([result], 1) == 'a\\x1b[2J.jpg  awe 100.0 %\n'
