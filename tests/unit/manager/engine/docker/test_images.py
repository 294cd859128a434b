"""How far a pull is, from what Docker 26.1 says of one; and threads that want the same image share a pull."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from manager.engine.contract import EngineUnavailable, ImageMissing, Pull
from manager.engine.docker import images as module
from manager.engine.docker.images import Entry, Images, Progress, Refused, _Fetch
from tests.waiting import until


def of_layer(layer: str, status: str, current: int | None = None, total: int | None = None) -> Entry:
    detail = {} if current is None else {"current": current, "total": total}
    return {"status": status, "progressDetail": detail, "id": layer}


HEAD = {"status": "Pulling from airx-test-d20e0a0b0eb2", "id": "latest"}
TAIL = [
    {"status": "Digest: sha256:586bb560eaebc05f74b6be3b0e71d0b274ff9b790cf98a7336bdba1c8ca5aa2b"},
    {"status": "Status: Downloaded newer image for 127.0.0.1:41131/airx-test-d20e0a0b0eb2:latest"},
]
RECORDED: list[tuple[Entry, tuple[int, int, int, int]]] = [
    (HEAD, (0, 0, 0, 0)),
    (of_layer("5262", "Pulling fs layer"), (0, 1, 0, 0)),
    (of_layer("c057", "Pulling fs layer"), (0, 2, 0, 0)),
    (of_layer("f94e", "Pulling fs layer"), (0, 3, 0, 0)),
    (of_layer("f94e", "Waiting"), (0, 3, 0, 0)),
    (of_layer("c057", "Downloading", 32768, 500330), (0, 3, 32768, 500330)),
    (of_layer("5262", "Downloading", 32768, 2000838), (0, 3, 65536, 2501168)),
    (of_layer("c057", "Downloading", 425984, 500330), (0, 3, 458752, 2501168)),
    (of_layer("c057", "Download complete"), (0, 3, 533098, 2501168)),
    (of_layer("5262", "Downloading", 1998848, 2000838), (0, 3, 2499178, 2501168)),
    (of_layer("5262", "Verifying Checksum"), (0, 3, 2499178, 2501168)),
    (of_layer("5262", "Download complete"), (0, 3, 2501168, 2501168)),
    (of_layer("5262", "Extracting", 32768, 2000838), (0, 3, 2501168, 2501168)),
    (of_layer("5262", "Pull complete"), (1, 3, 2501168, 2501168)),
    (of_layer("c057", "Extracting", 500330, 500330), (1, 3, 2501168, 2501168)),
    (of_layer("c057", "Pull complete"), (2, 3, 2501168, 2501168)),
    (of_layer("f94e", "Pull complete"), (3, 3, 2501168, 2501168)),
    (TAIL[0], (3, 3, 2501168, 2501168)),
    (TAIL[1], (3, 3, 2501168, 2501168)),
]
"""What was said, and then how many layers are done, of how many; and bytes."""


def figures(pull: Pull) -> tuple[int, int, int, int]:
    return pull.layers_done, pull.layers, pull.bytes_done, pull.bytes


def after(*entries: Entry) -> Pull:
    progress = Progress("image")
    for entry in entries:
        progress.take(entry)
    return progress.pull(1.5)


# --- How far it is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(1, len(RECORDED) + 1))
def test_a_pull_is_as_far_as_the_engine_has_said(count: int) -> None:
    assert figures(after(*(entry for entry, _ in RECORDED[:count]))) == RECORDED[count - 1][1]


def test_a_pull_of_which_nothing_is_known_has_no_layers() -> None:
    assert after() == Pull("image", 1.5, 0, 0, 0, 0)


def test_a_layer_that_was_here_before_is_done_and_costs_no_bytes() -> None:
    assert figures(after(of_layer("5262", "Already exists"), of_layer("c057", "Waiting"))) == (1, 2, 0, 0)


def test_a_layer_that_is_fetched_anew_after_a_broken_connection_counts_from_there() -> None:
    begun = of_layer("5262", "Downloading", 900, 1000)
    retried = of_layer("5262", "Retrying in 5 seconds")
    assert figures(after(begun, retried)) == (0, 1, 900, 1000)
    assert figures(after(begun, retried, of_layer("5262", "Downloading", 100, 1000))) == (0, 1, 100, 1000)


def test_a_layer_whose_size_its_registry_does_not_tell_is_never_more_than_all_of_it() -> None:
    assert figures(after(of_layer("5262", "Downloading", 900, -1))) == (0, 1, 900, 900)
    unsaid = {"status": "Downloading", "progressDetail": {"current": 900}, "id": "5262"}
    assert figures(after(unsaid)) == (0, 1, 900, 900)


def test_an_engine_that_counts_the_seconds_of_unpacking_is_understood() -> None:
    """Engine 28 with its images in containerd."""
    entry = {"status": "Extracting", "progressDetail": {"current": 3, "units": "s"}, "id": "5262"}
    assert figures(after(of_layer("5262", "Downloading", 9, 10), entry)) == (0, 1, 9, 10)


def test_an_error_in_the_stream_is_the_registrys_refusal() -> None:
    message = "toomanyrequests: You have reached your pull rate limit.\n"
    with pytest.raises(Refused, match=r"^toomanyrequests: You have reached your pull rate limit\.$"):
        after(HEAD, {"errorDetail": {"message": message}, "error": message})


# --- Fetching --------------------------------------------------------------------------------------------


class Engine:
    """Says what the test wants of a pull, and has the image when that is said to its end."""

    def __init__(self) -> None:
        self.entries: list[Entry] = [entry for entry, _ in RECORDED]
        self.error: Exception | None = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.pause = 0.0
        self.pulls = 0
        self.listened_to = False
        self.gives = True
        self.here = False

    def find(self, image: str) -> str | None:
        return "sha256:1" if self.here else None

    def pull(self, image: str) -> Iterator[Entry]:
        self.pulls += 1
        self.listened_to = True
        try:
            for entry in self.entries:
                yield entry
                self.may_go_on.wait(10)
                time.sleep(self.pause)
            if self.error is not None:
                raise self.error
            self.here = self.gives
        finally:
            self.listened_to = False


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def told() -> list[Pull]:
    return []


@pytest.fixture
def images(engine: Engine, told: list[Pull], monkeypatch: pytest.MonkeyPatch) -> Images:
    """Between the beginning and the end nothing is told, however long it takes, unless a test wants that."""
    monkeypatch.setattr(module, "TELL_EVERY", 3600.0)
    return Images(True, engine.find, engine.pull, told.append)


def test_the_beginning_and_the_end_are_told(images: Images, told: list[Pull]) -> None:
    images.fetch("image")
    first, last = told
    assert (figures(first), first.ended) == ((0, 0, 0, 0), False)
    assert (figures(last), last.ended, last.problem) == ((3, 3, 2501168, 2501168), True, None)
    assert last.seconds > 0


def test_what_comes_in_between_is_told_at_a_bounded_rate(
    images: Images, engine: Engine, told: list[Pull], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TELL_EVERY", 0.05)
    engine.entries = [of_layer("5262", "Downloading", number, 100) for number in range(100)]
    engine.pause = 0.01
    images.fetch("image")
    assert 3 < len(told) < told[-1].seconds / 0.05 + 3
    assert [each.bytes_done for each in told] == sorted(each.bytes_done for each in told)


@pytest.mark.parametrize(
    "error", [Refused("manifest unknown"), RuntimeError("manifest unknown")], ids=["refused", "unforeseen"]
)
def test_a_pull_that_fails_says_so_in_a_sentence(
    images: Images, engine: Engine, told: list[Pull], error: Exception
) -> None:
    engine.error = error
    sentence = "^there is no image 'image' here, and it can't be pulled: manifest unknown$"
    with pytest.raises(ImageMissing, match=sentence):
        images.fetch("image")
    assert (told[-1].ended, told[-1].problem) == (True, "manifest unknown")


def test_an_engine_that_goes_away_is_no_missing_image(
    images: Images, engine: Engine, told: list[Pull]
) -> None:
    engine.error = EngineUnavailable("the container engine does not answer")
    with pytest.raises(EngineUnavailable):
        images.fetch("image")
    assert told[-1].ended
    engine.error = None
    images.fetch("image")
    assert engine.pulls == 2


def test_a_pull_that_brings_nothing_is_no_success(images: Images, engine: Engine) -> None:
    engine.gives = False
    with pytest.raises(ImageMissing, match="its registry did not give it"):
        images.fetch("image")


def test_nothing_is_pulled_where_the_operator_does_not_want_it(engine: Engine, told: list[Pull]) -> None:
    with pytest.raises(ImageMissing, match="pulling is switched off"):
        Images(False, engine.find, engine.pull, told.append).fetch("image")
    assert (engine.pulls, told) == (0, [])


def test_a_pull_that_takes_too_long_is_given_up_and_the_engine_is_told_so(
    images: Images, engine: Engine, told: list[Pull], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "A_PULL", 0.1)
    monkeypatch.setattr(module, "TELL_EVERY", 0.0)
    engine.may_go_on.clear()
    with pytest.raises(ImageMissing, match=r"its registry did not give it within 0\.1 s"):
        images.fetch("image")
    heard = len(told)
    assert told[-1].ended
    engine.may_go_on.set()
    until(lambda: not engine.listened_to)
    assert (len(told), engine.here) == (heard, False)


def together(
    count: int, images: Images, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> list[BaseException | None]:
    """What each of so many threads met with that wanted an image, which comes when all wait for it."""
    join, waiting = _Fetch.join, list[_Fetch]()

    def counted(fetch: _Fetch) -> None:
        waiting.append(fetch)
        join(fetch)

    monkeypatch.setattr(_Fetch, "join", counted)
    engine.may_go_on.clear()
    with ThreadPoolExecutor(count) as pool:
        fetches = [pool.submit(images.fetch, "image") for _ in range(count)]
        until(lambda: len(waiting) == count)
        engine.may_go_on.set()
        return [each.exception(10) for each in fetches]


def test_threads_that_want_the_same_image_share_one_pull(
    images: Images, engine: Engine, told: list[Pull], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert together(8, images, engine, monkeypatch) == [None] * 8
    assert engine.pulls == 1
    assert [each.ended for each in told] == [False, True]


def test_threads_that_share_a_pull_share_its_failure(
    images: Images, engine: Engine, told: list[Pull], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.error = Refused("manifest unknown")
    assert {type(each) for each in together(8, images, engine, monkeypatch)} == {ImageMissing}
    assert engine.pulls == 1
    assert [each.ended for each in told] == [False, True]


def test_a_pull_that_is_given_up_ends_for_whoever_waits_and_the_next_is_another(
    images: Images, engine: Engine, told: list[Pull]
) -> None:
    engine.may_go_on.clear()
    with ThreadPoolExecutor(1) as pool:
        fetch = pool.submit(images.fetch, "image")
        until(lambda: engine.pulls == 1)
        images.give_up("image")
        assert isinstance(fetch.exception(10), ImageMissing)
    assert (told[-1].ended, told[-1].problem) == (True, "nobody wants it any more")
    engine.may_go_on.set()
    until(lambda: not engine.listened_to)
    images.fetch("image")
    assert engine.pulls == 2


def test_to_give_up_what_nobody_fetches_is_nothing(images: Images, engine: Engine) -> None:
    images.give_up("image")
    images.fetch("image")
    assert engine.here


def test_another_image_is_not_waited_for(images: Images, engine: Engine) -> None:
    engine.may_go_on.clear()
    threads = [threading.Thread(target=images.fetch, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    until(lambda: engine.pulls == 2)
    engine.may_go_on.set()
    for thread in threads:
        thread.join(10)
