"""References to images, as Docker's own parser reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from air_executor.format.images import check_image, is_same, parse_reference

DIGEST = f"sha256:{'0123456789abcdef' * 4}"


@pytest.mark.parametrize(
    ("text", "registry", "path", "version"),
    [
        ("debian", "docker.io", "library/debian", "latest"),
        ("debian:12", "docker.io", "library/debian", "12"),
        ("team/tool:1", "docker.io", "team/tool", "1"),
        ("team/sub/tool", "docker.io", "team/sub/tool", "latest"),
        ("docker.io/debian", "docker.io", "library/debian", "latest"),
        ("index.docker.io/debian", "docker.io", "library/debian", "latest"),
        ("ghcr.io/team/tool:1", "ghcr.io", "team/tool", "1"),
        ("localhost/tool", "localhost", "tool", "latest"),
        ("localhost:5000/tool:1", "localhost:5000", "tool", "1"),
        ("debian:5000/tool", "debian:5000", "tool", "latest"),
        ("127.0.0.1:47123/exfil/c2vjcmv0:k1", "127.0.0.1:47123", "exfil/c2vjcmv0", "k1"),
        ("[::1]:5000/tool:1", "[::1]:5000", "tool", "1"),
        ("HOST/tool", "HOST", "tool", "latest"),
        (f"debian@{DIGEST}", "docker.io", "library/debian", DIGEST),
        (f"ghcr.io:443/a/b:1@{DIGEST}", "ghcr.io:443", "a/b", DIGEST),
        (DIGEST, "docker.io", "library/sha256", DIGEST.removeprefix("sha256:")),
    ],
)
def test_the_first_part_is_a_registry_where_it_has_a_dot_a_port_or_an_upper_case_letter(
    text: str, registry: str, path: str, version: str
) -> None:
    found = parse_reference(text)
    assert (found.registry, found.path, found.version) == (registry, path, version)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "/", ":", "@", "a:", "a@", "a//b", "/a", "a/", "A", "Debian:12", "a b", "a\n", "a\0", "ä"),
        *("-a", "a-", "a..b/c/", "_a", "a:-1", f"a:{'x' * 129}", "a@sha256:1", "a:1:2", "a:b/c:d:e"),
        *(
            "--privileged",
            "../containers/x",
            "host:port/a",
            "host./a",
            "-host.x/a",
            "[::1/a",
            "[x]/a",
            "a" * 256,
        ),
        *("http://host/a", "user@host.x/a", "host.x?/a", "host.x/a?b=c", "host.x/a#b", "host.x\\a/b"),
    ],
)
def test_any_other_text_is_no_reference_and_the_rule_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="must be a reference to an image"):
        parse_reference(text)


@pytest.mark.parametrize(
    "digest",
    [
        *(f"sha256:{'a' * 63}", f"sha256:{'a' * 65}", f"sha256:{'A' * 64}", f"sha256:{'g' * 64}"),
        *("sha256", f"md5:{'a' * 32}", f"sha512:{'a' * 64}", "a" * 64),
    ],
)
def test_a_digest_that_no_engine_takes_is_refused(digest: str) -> None:
    with pytest.raises(ValueError, match="a digest"):
        parse_reference(f"debian@{digest}")


@pytest.mark.parametrize("digest", [f"sha256:{'0a' * 32}", f"sha384:{'0a' * 48}", f"sha512:{'0a' * 64}"])
def test_the_digests_that_engines_know_are_taken(digest: str) -> None:
    assert check_image(f"debian:12@{digest}") == f"debian:12@{digest}"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "leave it out, and the task gets the usual image"),
        ("https://ghcr.io/team/tool:1", "leave out https://"),
        ("docker://debian", "leave out docker://"),
        ("NOPE:bad ref", "there is no space in one"),
        (" debian", "there is no space in one"),
        ("debian:", "after : comes a tag"),
        ("ghcr.io/Team/tool", "its name has no upper-case letters"),
        ("a/" * 128 + "b", "its name has 255 characters at most"),
    ],
)
def test_what_may_have_been_meant_is_told(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=f"must be a reference to an image.*; {advice}"):
        check_image(text)


HOSTS = st.from_regex(r"[a-z0-9]{1,5}(\.[a-z0-9]{1,5}){1,3}(:[0-9]{1,5})?", fullmatch=True)
PATHS = st.from_regex(r"[a-z0-9]{1,5}([._-][a-z0-9]{1,3})?(/[a-z0-9]{1,5}){0,2}", fullmatch=True)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}", fullmatch=True)


@given(host=HOSTS, path=PATHS, tag=TAGS)
def test_what_was_put_together_is_found_again(host: str, path: str, tag: str) -> None:
    found = parse_reference(f"{host}/{path}:{tag}")
    if host.startswith(("docker.io", "index.docker.io")):
        return
    assert (found.registry, found.path, found.version) == (host, path, tag)


@given(text=st.one_of(st.text(max_size=40), st.text("ab.:/@[]-_0A", max_size=20)))
def test_every_text_is_a_reference_or_is_refused_and_what_is_one_names_the_same_image_in_full(
    text: str,
) -> None:
    try:
        found = parse_reference(text)
    except ValueError:
        return
    mark = "@" if "@" in text else ":"
    assert parse_reference(f"{found.registry}/{found.path}{mark}{found.version}") == found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("tool", "tool:latest", True),
        ("tool:1", "docker.io/library/tool:1", True),
        ("tool:1", "tool:2", False),
        ("tool", "team/tool", False),
        ("tool", "localhost:5000/tool", False),
        ("NOPE:bad ref", "NOPE:bad ref", True),
        ("NOPE:bad ref", "tool", False),
    ],
)
def test_two_names_are_the_same_images_where_they_are_in_full(one: str, other: str, same: bool) -> None:
    assert is_same(one, other) is is_same(other, one) is same
