"""Airflow's UI acts on words in a task's log: `::group::` and the like fold what follows. Ours has none.

Names, messages and output come from strangers, so all that is logged passes here. Source: the UI looks for
`::group::` and `::endgroup::` anywhere in a line (`ui/src/components/renderStructuredLog`, 3.3.2).
"""

import re

_ACTS = re.compile(r"::(?=\w+(\s[^:\n]*)?::)")


def inert(text: str) -> str:
    """`text` as people read it, without anything that the UI acts on."""
    return _ACTS.sub(": :", text)
