"""README.md shows what was measured, and nothing else."""

import json

from bench import headline
from bench.results import FILE


def test_the_readme_has_the_figures_of_the_last_whole_run() -> None:
    found = headline.PLACE.search(headline.README.read_text())
    assert found is not None
    assert found.group() == headline.table(json.loads(FILE.read_text())), "run `python -m bench.headline`"


def test_every_line_of_the_headline_is_a_row_that_was_measured() -> None:
    rows = json.loads(FILE.read_text())["rows"]
    assert all(headline._row(rows, number, name) for number, name, _ in headline.LINES)
