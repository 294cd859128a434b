"""Which images are known to be here, and which are fetched, and for whom first."""

from air_executor.format.attempts import Cause, Failure
from manager.core.image_shelf import AT_ONCE, LATELY, REST, SHARE, ImageShelf
from manager.model.facts import CancelRequested, ImageFetched
from manager.model.values import ImageOrder
from tests.unit.manager.builders import T0, UID, at, live_job


def fetched(order: ImageOrder, well: bool = True, seconds: float = 0) -> ImageFetched:
    problem = None if well else Failure(cause=Cause.IMAGE, message="no")
    return ImageFetched(image=order.image, order=order, problem=problem, at=at(seconds))


def test_an_image_is_fetched_once_however_many_want_it() -> None:
    shelf = ImageShelf()
    for uid in ("one", "two", "one"):
        shelf.want("image", uid)
    assert [order.image for order in shelf.orders()] == ["image"]
    assert list(shelf.orders()) == []


def test_what_was_fetched_is_here_for_a_while_unless_it_is_doubted() -> None:
    shelf = ImageShelf()
    assert not shelf.has("image", T0)
    shelf.want("image", "one")
    assert shelf.take_in(fetched(next(shelf.orders())))
    assert shelf.has("image", T0 + LATELY / 2)
    assert not shelf.has("image", T0 + LATELY)
    shelf.doubt("image")
    assert not shelf.has("image", T0)


def test_so_many_are_fetched_at_once_and_who_wants_many_holds_up_nobody_else() -> None:
    shelf = ImageShelf()
    for number in range(3 * SHARE):
        shelf.want(f"many{number}", "one")
    orders = list(shelf.orders())
    assert [order.image for order in orders] == [f"many{number}" for number in range(SHARE)]
    shelf.want("single", "two")
    assert [order.image for order in shelf.orders()] == ["single"]
    shelf.take_in(fetched(orders[0], well=False))
    assert [order.image for order in shelf.orders()] == [f"many{SHARE}"]


def test_where_all_places_are_taken_the_next_goes_to_whom_has_the_fewest() -> None:
    shelf = ImageShelf()
    for number in range(AT_ONCE):
        shelf.want(f"{number}", f"job{number // SHARE}")
    orders = list(shelf.orders())
    assert len(orders) == AT_ONCE
    shelf.want("more", "job0")
    shelf.want("first", "new")
    assert list(shelf.orders()) == []
    for order in orders[:1]:
        shelf.take_in(fetched(order))
    assert [order.image for order in shelf.orders()] == ["first"]


def test_what_nobody_wants_any_more_is_given_up_and_its_late_answer_counts_for_nobody() -> None:
    shelf, job = ImageShelf(), live_job()
    shelf.want("image", UID)
    (first,) = shelf.orders()
    assert list(shelf.given_up({UID: job})) == []
    job.apply(CancelRequested(uid=UID, at=at(1)))
    assert list(shelf.given_up({UID: job})) == [first]
    shelf.want("image", "another")
    (second,) = shelf.orders()
    assert not shelf.take_in(fetched(first, well=False))
    assert shelf.take_in(fetched(second))


def test_what_somebody_else_still_wants_is_not_given_up() -> None:
    shelf, job = ImageShelf(), live_job()
    shelf.want("image", UID)
    shelf.want("image", "gone")
    list(shelf.orders())
    assert list(shelf.given_up({UID: job})) == []


def test_what_could_not_be_had_is_not_asked_for_again_at_once_ahead_of_a_turn() -> None:
    shelf = ImageShelf()
    shelf.foresee("image", "one", T0)
    shelf.take_in(fetched(next(shelf.orders()), well=False))
    shelf.foresee("image", "one", T0 + REST / 2)
    assert list(shelf.orders()) == []
    shelf.want("image", "one")
    assert [order.image for order in shelf.orders()] == ["image"]


def test_who_wants_an_image_as_its_registry_has_it_has_that_asked_although_it_is_here() -> None:
    shelf = ImageShelf()
    shelf.want("image", "one")
    (plain,) = shelf.orders()
    shelf.renew("image", "two")
    assert (plain.renew, list(shelf.orders())) == (False, []), "one pull of an image at a time"
    shelf.take_in(fetched(plain))
    shelf.renew("image", "two")
    (order,) = shelf.orders()
    assert order.renew
    shelf.take_in(fetched(order, well=False))
    assert shelf.has("image", T0), "that its registry is away does not make it go"
    shelf.foresee("other", "one", T0)
    assert [each.renew for each in shelf.orders()] == [False]


def test_what_nobody_wants_renewed_any_more_is_not() -> None:
    shelf, job = ImageShelf(), live_job()
    shelf.renew("image", UID)
    job.apply(CancelRequested(uid=UID, at=at(1)))
    assert list(shelf.given_up({UID: job})) == []
    shelf.want("image", "another")
    assert [each.renew for each in shelf.orders()] == [False]
