"""Output without the secrets in it: *** stands where one would."""

from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heapreplace

MASK = b"***"
SHORTEST = 4
"""Bytes of a value that is masked. A shorter one is found in the middle of words, and told by the gaps."""
SHORTEST_LINE = 8
"""Bytes of a line that is masked, of a value with several: not each brace of a JSON file."""
MOST_LINES = 200
"""Of one value that are masked, its first ones: each is looked for in all of the output."""
_BEGINNING = 8
"""Bytes by which the beginning of a secret is looked for."""


class Masked:
    """Hands on what is written to it, to `write`, in which no secret is left.

    What may be the beginning of one is kept back until it is known. The same output gives the same, in
    whatever pieces it comes: first the leftmost secret, and of several that begin there the longest.
    """

    def __init__(self, secrets: Iterable[bytes], write: Callable[[bytes], None]) -> None:
        self._write = write
        self._secrets = sorted({part for secret in secrets for part in parts(secret)}, key=len, reverse=True)
        self._beginnings = {
            each[:count] for each in self._secrets for count in range(1, min(_BEGINNING, len(each)))
        }
        """Of secrets, all that are shorter than those which `_unfinished` looks for."""
        self._kept = b""

    def write(self, chunk: bytes) -> None:
        """Add output."""
        if not self._secrets:
            self._write(chunk)
            return
        data = self._kept + chunk
        decided = self._decided(data)
        self._hand_on(data, decided)

    def end(self) -> None:
        """Nothing more comes: what was kept back is no secret."""
        self._hand_on(self._kept, len(self._kept))

    def _hand_on(self, data: bytes, decided: int) -> None:
        """What begins before `decided`, and all of it, also where it ends behind that."""
        whole, done = [], 0
        for begin, end in self._found(data):
            if begin >= decided:
                break
            whole += [data[done:begin], MASK]
            done = end
        if done < decided:
            whole.append(data[done:decided])
            done = decided
        self._kept = data[done:]
        if masked := b"".join(whole):
            self._write(masked)

    def _found(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where secrets begin and end that are masked, in order. Each is looked for by itself, and again
        only where one before has covered it: an expression of all of them tries each at each byte, and no
        other thread runs meanwhile."""
        ahead = [(at, -len(secret), secret) for secret in self._secrets if (at := data.find(secret)) >= 0]
        heapify(ahead)
        done = 0
        while ahead:
            begin, _, secret = ahead[0]
            if begin >= done:
                done = begin + len(secret)
                yield begin, done
            if (at := data.find(secret, done)) >= 0:
                heapreplace(ahead, (at, -len(secret), secret))
            else:
                heappop(ahead)

    def _decided(self, data: bytes) -> int:
        """Where what may go on as a secret begins: the first place of all secrets; else the end."""
        long = min((_unfinished(secret, data) for secret in self._secrets), default=len(data))
        if long < len(data):
            return long
        few = range(min(_BEGINNING - 1, len(data)), 0, -1)
        return next((len(data) - count for count in few if data[-count:] in self._beginnings), len(data))


def parts(secret: bytes) -> list[bytes]:
    """What of a value is looked for: all of it, or each line of several, unless that is too short."""
    lines = [line.strip(b"\r") for line in secret.strip(b"\r\n").split(b"\n")]
    shortest = SHORTEST if len(lines) == 1 else SHORTEST_LINE
    return [line for line in lines[:MOST_LINES] if len(line) >= shortest]


def _unfinished(secret: bytes, data: bytes) -> int:
    """Where the end of `data` begins with which `secret` begins that is not over, if those are a few bytes at
    least; else its end."""
    beginning = secret[:_BEGINNING]
    at = data.find(beginning, max(0, len(data) - len(secret) + 1))
    while at >= 0:
        if secret.startswith(data[at:]):
            return at
        at = data.find(beginning, at + 1)
    return len(data)
