"""Images that the engine has to fetch first: from a registry of the test's own."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from docker.errors import ImageNotFound

from manager.engine.connect import connect
from manager.engine.contract import EngineUnavailable, ImageMissing, Pull, Status
from manager.engine.docker import images
from manager.model.home import Home
from manager.settings import Settings
from tests import engine_room
from tests.contract.bench import Bench
from tests.engine_proxy import EngineProxy
from tests.registry import Registry, filler, registry
from tests.waiting import until

LARGE = 2_000_000
SMALL = 500_000


@pytest.fixture
def source() -> Iterator[Registry]:
    with registry({"large": filler(LARGE)}, {"small": filler(SMALL)}) as made:
        yield made


@pytest.fixture
def told() -> list[Pull]:
    return []


@pytest.fixture
def puller(
    tmp_path: Path, settings: Settings, docker_client: Any, told: list[Pull], on_failure: Callable[..., None]
) -> Iterator[Bench]:
    """With an engine that pulls what is missing."""
    home = Home(engine_room.fresh_home_id(), tmp_path)
    pulling = settings.model_copy(update={"pull": True, "registries": ("127.0.0.1:*",)})
    bench = Bench(connect(pulling, told.append), home, tmp_path / "job", pulling)
    bench.prepare()
    on_failure("what was told of pulls", lambda: "\n".join(map(str, told)))
    yield bench
    engine_room.sweep(docker_client, home.id)


def here(docker_client: Any, image: str) -> bool:
    """By the engine's own words."""
    try:
        docker_client.images.get(image)
    except ImageNotFound:
        return False
    return True


def test_an_image_that_is_missing_is_pulled_and_the_container_made(
    puller: Bench, source: Registry, docker_client: Any, told: list[Pull]
) -> None:
    made = puller.create(image=source.image)
    assert made.status is Status.CREATED
    assert made.image_id == docker_client.images.get(source.image).id
    last = told[-1]
    assert (last.image, last.ended, last.problem) == (source.image, True, None)
    assert (last.layers_done, last.layers, last.bytes_done) == (2, 2, last.bytes)


def test_how_far_a_slow_pull_is_is_told(
    puller: Bench, source: Registry, told: list[Pull], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "TELL_EVERY", 0.2)
    source.pace = LARGE / 2
    puller.create(image=source.image)
    assert {each.image for each in told} == {source.image}
    assert [each.ended for each in told] == [False] * (len(told) - 1) + [True]
    between = {each.bytes_done for each in told if 0 < each.bytes_done < each.bytes}
    assert len(between) > 2, "it was not told while it went on"
    assert LARGE + SMALL < told[-1].bytes < (LARGE + SMALL) * 1.01
    assert told[-1].seconds > 1


def test_what_is_here_is_not_pulled(puller: Bench, source: Registry, told: list[Pull]) -> None:
    puller.create(image=source.image)
    heard, asked = len(told), source.asked.copy()
    puller.create(image=source.image)
    assert (len(told), source.asked) == (heard, asked)


def test_a_registry_that_has_no_such_image_says_so(puller: Bench, source: Registry, told: list[Pull]) -> None:
    source.gives = False
    with pytest.raises(ImageMissing, match=r"there is no image '127\S+' here, and it can't be pulled: \w+"):
        puller.create(image=source.image)
    assert told[-1].ended and told[-1].problem


def test_a_registry_whose_layer_is_damaged_is_a_refusal_in_the_middle_of_the_pull(
    puller: Bench, source: Registry, docker_client: Any, told: list[Pull]
) -> None:
    source.damage()
    with pytest.raises(ImageMissing, match=r"can't be pulled: .*verification failed"):
        puller.create(image=source.image)
    assert told[-1].ended and told[-1].layers == 2
    assert not here(docker_client, source.image)


def test_a_registry_that_says_nothing_is_waited_for_for_a_while_only(
    puller: Bench, source: Registry, told: list[Pull], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "A_PULL", 0.5)
    source.hang()
    with pytest.raises(ImageMissing, match=r"its registry did not give it within 0\.5 s"):
        puller.create(image=source.image)
    assert [each.ended for each in told] == [False, True]


def test_a_pull_that_takes_too_long_is_ended_at_the_engine_too(
    puller: Bench, source: Registry, docker_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "A_PULL", 1.0)
    source.pace = LARGE / 30
    with pytest.raises(ImageMissing, match="its registry did not give it within 1 s"):
        puller.create(image=source.image)
    until(lambda: source.unwanted, 10)
    assert not here(docker_client, source.image)


def test_an_engine_that_goes_away_in_the_middle_of_a_pull_is_no_missing_image(
    puller: Bench, source: Registry, told: list[Pull], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = EngineProxy(tmp_path)
    proxy.open()
    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", proxy.address)
        patch.setattr(images, "TELL_EVERY", 0.1)
        puller.engine = connect(puller.settings, told.append)
        source.pace = LARGE / 3
        with ThreadPoolExecutor(1) as pool:
            making = pool.submit(puller.create, image=source.image)
            until(lambda: told and told[-1].bytes_done, 20)
            proxy.close()
            assert isinstance(making.exception(20), EngineUnavailable)
    assert told[-1].ended and told[-1].problem


def test_an_image_is_fetched_without_a_container_and_what_is_here_is_not_asked_for(
    puller: Bench, source: Registry, docker_client: Any, told: list[Pull]
) -> None:
    puller.engine.fetch(source.image)
    assert here(docker_client, source.image)
    heard, asked = len(told), source.asked.copy()
    puller.engine.fetch(source.image)
    assert (len(told), source.asked) == (heard, asked)


def test_who_waits_for_an_image_that_nobody_wants_any_more_waits_no_longer(
    puller: Bench, source: Registry, told: list[Pull]
) -> None:
    source.hang()
    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(puller.engine.fetch, source.image)
        until(lambda: told)
        puller.engine.stop_fetching(source.image)
        assert isinstance(fetching.exception(2), ImageMissing)
    assert told[-1].ended


def test_a_private_registry_that_the_operator_does_not_name_is_asked_nothing(
    puller: Bench, source: Registry, settings: Settings, told: list[Pull]
) -> None:
    puller.engine = connect(settings.model_copy(update={"pull": True}), told.append)
    with pytest.raises(ImageMissing, match=r"127\S+ is no registry that images may be pulled from here"):
        puller.create(image=source.image)
    assert (told[-1].ended, source.visits) == (True, 0)


def test_nothing_is_pulled_for_a_container_that_may_not(
    puller: Bench, source: Registry, told: list[Pull]
) -> None:
    with pytest.raises(ImageMissing, match="none is pulled for what tasks queue"):
        puller.create(image=source.image, pull=False)
    assert (told, source.visits) == ([], 0)


def test_two_tasks_that_want_the_same_image_at_the_same_time_share_one_pull(
    puller: Bench, source: Registry, told: list[Pull]
) -> None:
    source.pace = LARGE
    specs = [replace(puller.spec(), image=source.image) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda spec: puller.engine.create(spec, None), specs))
    assert [puller.engine.observe(each).status for each in made] == [Status.CREATED] * 2
    assert made[0] != made[1]
    assert [each.ended for each in told].count(True) == 1
    assert source.asked["manifests"] == 1


def test_what_is_here_is_asked_for_again_by_who_wants_it_renewed(
    puller: Bench, source: Registry, docker_client: Any
) -> None:
    puller.engine.renew(source.image)
    first, visits = docker_client.images.get(source.image).id, source.visits
    blobs = source.asked["blobs"]
    puller.engine.renew(source.image)
    assert source.visits > visits
    assert source.asked["blobs"] == blobs, "nothing has changed, and nothing was fetched"
    assert docker_client.images.get(source.image).id == first


def test_the_digest_of_what_was_pulled_is_known(puller: Bench, source: Registry) -> None:
    made = puller.create(image=source.image)
    facts = puller.engine.image_facts(made.image_id)
    name = source.image.rpartition(":")[0]
    assert facts is not None
    assert (facts.digest_of(source.image) or "").startswith(f"{name}@sha256:")


def test_an_image_that_is_here_is_not_renewed_where_its_registry_is_away(
    puller: Bench, source: Registry
) -> None:
    puller.engine.fetch(source.image)
    source.gives = False
    with pytest.raises(ImageMissing, match="can't be asked of its registry, as its task wants"):
        puller.engine.renew(source.image)
    puller.engine.fetch(source.image)


def test_nothing_is_renewed_where_the_operator_has_nothing_pulled(
    puller: Bench, source: Registry, settings: Settings
) -> None:
    puller.engine = connect(settings)
    with pytest.raises(ImageMissing, match="pulling is switched off here"):
        puller.engine.renew(source.image)
    assert source.visits == 0
