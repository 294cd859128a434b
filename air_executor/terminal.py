"""What a terminal would show of a program's output in the end: for summaries, which are no terminal.

Source of the sequences: ECMA-48, and the controls of xterm. Moves to other lines are passed over.
"""

import re

_PRINTED = r"[^\x00-\x1f\x7f-\x9f]*"
_ESCAPE = (
    r"(?:\x1b\[|\x9b)(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"  # control sequences: colours, moves
    rf"|(?:\x1b\]|\x9d){_PRINTED}(?:\x07|\x1b\\|\x9c)"  # titles, links
    rf"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f]){_PRINTED}(?:\x1b\\|\x9c)"  # other strings
    r"|\x1b[ -/]+[0-~]|\x1b[0-OQ-WYZ\\`-~]"  # character sets, resets
)
_ESCAPES = re.compile(_ESCAPE)
_ACTS = re.compile(rf"{_ESCAPE}|\r|\x08")
_OPEN = re.compile(
    rf"(?:\x1b\[|\x9b)[0-?]*[ -/]*\Z|(?:\x1b[]PX^_]|[\x90\x98\x9d-\x9f]){_PRINTED}\x1b?\Z|\x1b[ -/]*\Z"
)
LONGEST_ESCAPE = 4096
"""Characters for whose end a reader of a stream waits."""


def without_escapes(text: str) -> str:
    """`text` without sequences that colour it, move about, set titles and the like."""
    return _ESCAPES.sub("", text)


def open_escape(text: str) -> int:
    """Where the sequence begins with which `text` breaks off; its length, where it does not."""
    begin = max(0, len(text) - LONGEST_ESCAPE)
    found = _OPEN.search(text, begin)
    return found.start() if found else len(text)


def as_shown(text: str) -> str:
    """`text` without such sequences, and without what was written over or erased; line by line.

    What follows a carriage return or backspaces replaces all that was there: of a progress bar, its last
    state is left, without the rest of a longer one before.
    """
    return "\n".join(map(_shown, text.replace("\r\n", "\n").split("\n")))


def _shown(line: str) -> str:
    cells: list[str] = []
    cursor = begin = 0
    for act in _ACTS.finditer(line):
        cursor = _write(cells, cursor, line[begin : act.start()])
        begin = act.end()
        if act[0] == "\r":
            cursor = 0
        elif act[0] == "\b":
            cursor = max(0, cursor - 1)
        elif act["final"] == "K":
            cursor = _erase(cells, cursor, act["parameters"])
    _write(cells, cursor, line[begin:])
    return "".join(cells)


def _write(cells: list[str], cursor: int, text: str) -> int:
    if text:
        del cells[cursor:]
        cells.extend(text)
        return len(cells)
    return cursor


def _erase(cells: list[str], cursor: int, parameters: str) -> int:
    """To the end of the line; or what is before, too."""
    begin = cursor if parameters.strip("0") == "" else 0
    del cells[begin:]
    return begin
