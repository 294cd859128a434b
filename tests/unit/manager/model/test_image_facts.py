"""What is executed in an image that says so, and by which digest it is known."""

import pytest

from manager.model.image_facts import ImageFacts, check_words, words

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("own", "found"),
    [((), ("entry", "usual")), (("x", "y"), ("entry", "x", "y"))],
)
def test_own_words_take_the_place_of_the_images_command(own: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert words(own, ("entry",), ("usual",)) == found


@pytest.mark.parametrize(
    ("own", "facts", "complaint"),
    [
        ((), ImageFacts(), "has no ENTRYPOINT and no CMD"),
        ((), ImageFacts(command=("", "x")), "begins with nothing"),
        ((), ImageFacts(flaw="it is no list of words"), "can't be used: it is no list of words"),
        (("x" * 100_000,) * 20, ImageFacts(entrypoint=("e",)), "too much together"),
        (("x",), ImageFacts(entrypoint=("e" * 200_000,)), "too much together"),
    ],
)
def test_what_can_not_be_executed_is_told_with_the_image(
    own: tuple[str, ...], facts: ImageFacts, complaint: str
) -> None:
    with pytest.raises(ValueError, match="image 'debian:12'") as caught:
        check_words(own, "debian:12", facts)
    assert complaint in str(caught.value)


def test_own_words_alone_are_enough() -> None:
    check_words(("echo",), "debian:12", ImageFacts())


@pytest.mark.parametrize(
    ("digests", "image", "found"),
    [
        ((), "debian:12", None),
        ((f"zoo/x@{OTHER}", f"debian@{DIGEST}"), "debian:12", f"debian@{DIGEST}"),
        ((f"zoo/x@{OTHER}", f"debian@{DIGEST}"), f"docker.io/library/debian@{DIGEST}", f"debian@{DIGEST}"),
        ((f"zoo/x@{OTHER}", f"ape/x@{DIGEST}"), "mine:1", f"ape/x@{DIGEST}"),
        (("nonsense",), "mine:1", "nonsense"),
    ],
)
def test_the_digest_is_that_of_the_name_that_was_asked_for(
    digests: tuple[str, ...], image: str, found: str | None
) -> None:
    assert ImageFacts(digests=digests).digest_of(image) == found
