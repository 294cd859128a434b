"""Access control lists as the kernel takes and gives them."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.folder import acl
from manager.folder.acl import Acl, Kind
from manager.folder.trouble import TRANSIENT

BITS = st.integers(0, 7)
ACLS = st.builds(Acl, BITS, st.dictionaries(st.integers(0, 2**32 - 2), BITS, max_size=20), BITS, BITS, BITS)
BY_HAND = bytes.fromhex(
    "02000000 01000700ffffffff 02000600e8030000 04000500ffffffff 10000700ffffffff 20000000ffffffff"
)
"""What `setfacl -m u:1000:rw,g::rx,m::rwx,o::-` has the kernel store."""


def test_a_list_is_written_as_the_kernel_takes_it() -> None:
    assert Acl(7, {1000: 6}, 5, 7, 0).encode() == BY_HAND
    assert Acl.decode(BY_HAND) == Acl(7, {1000: 6}, 5, 7, 0)


@given(ACLS)
def test_what_is_written_is_read(one: Acl) -> None:
    assert Acl.decode(one.encode()) == one


@given(ACLS, ACLS)
def test_it_allows_what_another_does_exactly_where_no_bit_of_that_is_missing(one: Acl, other: Acl) -> None:
    missing = other.mask & ~one.mask
    for user, bits in other.users.items():
        missing |= bits & ~one.users.get(user, 0)
    assert one.allows(other) == (missing == 0)
    assert one.allows(one)


def test_one_that_was_never_masked_is_bounded_by_its_group() -> None:
    simple = bytes.fromhex("02000000 01000700ffffffff 04000500ffffffff 20000000ffffffff")
    assert Acl.decode(simple) == Acl(7, {}, 5, 5, 0)


@pytest.mark.parametrize("content", [b"", b"\x02\0\0", b"\x01\0\0\0", BY_HAND[:-1]])
def test_what_is_no_list_is_none(content: bytes) -> None:
    with pytest.raises(ValueError, match="no access control list"):
        Acl.decode(content)


def test_the_kernel_keeps_it_and_hands_it_on_whatever_the_umask(tmp_path: Path) -> None:
    wanted = Acl(7, {1000: 7}, 5, 7, 0)
    assert acl.read(str(tmp_path), Kind.DEFAULT) is None
    acl.write(str(tmp_path), Kind.DEFAULT, wanted)
    before = os.umask(0o077)
    try:
        (tmp_path / "in").mkdir()
    finally:
        os.umask(before)
    assert acl.read(str(tmp_path / "in"), Kind.DEFAULT) == wanted
    assert acl.read(str(tmp_path / "in"), Kind.ACCESS) == wanted


@pytest.mark.parametrize("number", TRANSIENT, ids=errno.errorcode.get)
def test_where_the_machine_is_short_of_something_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def short(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "setxattr", short)
    with pytest.raises(OSError, match=os.strerror(number)):
        acl.problem(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_whether_a_folder_can_have_them_is_tried_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert acl.problem(tmp_path) is None
    assert acl.problem(tmp_path / "gone") is not None

    def unsupported(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "setxattr", unsupported)
    assert acl.problem(tmp_path) == acl.NONE
    monkeypatch.setattr(os, "setxattr", lambda *_: None)
    assert "does not keep" in (acl.problem(tmp_path) or "")
    assert list(tmp_path.iterdir()) == []
