from uniemox_mm.utils.markdown_table import markdown_table


def test_cells_are_text_and_bars_are_escaped():
    table = markdown_table(['a', 'b'], iter([[1, 'x|y'], (None, 2.5)]))
    assert table.splitlines() == [
        '| a | b |',
        '|---|---|',
        r'| 1 | x\|y |',
        '| None | 2.5 |',
    ]


def test_header_alone():
    assert markdown_table(['a'], []) == '| a |\n|---|'
