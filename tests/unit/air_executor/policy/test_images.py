"""Which images a task may ask for: by patterns that are read as references are."""

import pytest

from air_executor.errors import BadInput
from air_executor.policy.images import check_image, matches
from tests.unit.manager.builders import settings


@pytest.mark.parametrize(
    ("image", "pattern"),
    [
        ("debian:12", "*"),
        ("evil.example:1/x", "*"),
        ("debian:12", "debian:*"),
        ("debian", "debian:*"),
        ("debian", "debian"),
        ("debian:12", "debian"),
        ("docker.io/library/debian:12", "debian:12"),
        ("team/tool:1", "team/*"),
        ("ghcr.io/team/a/b:1", "ghcr.io/team/*"),
        ("ghcr.io/team/a:1", "*/team/a:1"),
        ("a.corp.example:5000/x", "*.corp.example:5000/*"),
        (f"debian@sha256:{'a' * 64}", f"debian@sha256:{'a' * 64}"),
    ],
)
def test_fits(image: str, pattern: str) -> None:
    assert matches(image, ["nothing:0", pattern])


@pytest.mark.parametrize(
    ("image", "pattern"),
    [
        ("debian:5000/evil:1", "debian:*"),
        ("debian.evil.example/x", "debian*"),
        ("evil.example/debian:12", "debian:*"),
        ("evil.example/team/tool", "team/*"),
        ("debian:13", "debian:12"),
        (f"debian@sha256:{'b' * 64}", "debian:12"),
        (f"debian:12@sha256:{'b' * 64}", "debian:12"),
        ("Debian/x", "debian/*"),
    ],
)
def test_does_not_fit(image: str, pattern: str) -> None:
    assert not matches(image, [pattern])


def test_the_runner_image_is_allowed_whatever_the_list_says() -> None:
    check_image("runner:1", settings(runner_image="runner:1", images=()))


def test_what_the_list_does_not_have_is_refused_with_the_setting() -> None:
    with pytest.raises(
        BadInput, match=r"t\.image: 'alpine:3' is not allowed here; .*debian:\* .setting `images`"
    ):
        check_image("alpine:3", settings(images=("debian:*",)), "t.")


@pytest.mark.parametrize("image", ["", "Debian", "a b", "--privileged", "../containers/x", "debian:", "x\n"])
def test_what_is_no_reference_is_refused(image: str) -> None:
    with pytest.raises(BadInput, match=r"image: .* must be a reference to an image"):
        check_image(image, settings())
