"""PURE. Which images are known to be here, and which are to be fetched for tasks that wait for them.

A task whose image is not known to be here holds no runner: it waits until that was fetched, or could not be.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from manager.core.live_job import LiveJob
from manager.model.facts import ImageFetched
from manager.model.values import ImageOrder

AT_ONCE = 32
"""Images that are fetched at once, over all jobs: each costs a thread, and its registry may be silent."""
SHARE = 4
"""Of those, for one job."""
LATELY = timedelta(minutes=10)
"""For which an image that was here is taken to be here still; if it is not, its container can't be made."""
REST = timedelta(minutes=1)
"""For which an image that could not be had is not asked for again ahead of its task's turn."""


@dataclass
class ImageShelf:
    """Told of everything, decides; asks nobody."""

    _seen: dict[str, datetime] = field(default_factory=dict)
    """When each image was known to be here."""
    _wanted: dict[str, set[str]] = field(default_factory=dict)
    """Images that are not known to be here, and the jobs, by uid, that want them."""
    _wishes: dict[str, dict[str, None]] = field(default_factory=dict)
    """The same, by job: in the order in which it asked for them."""
    _to_renew: set[str] = field(default_factory=set)
    """Those among them that somebody wants as their registries have them now."""
    _under_way: dict[str, ImageOrder] = field(default_factory=dict)
    _not_had: dict[str, datetime] = field(default_factory=dict)
    """Images that could not be had, and when that was."""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def has(self, image: str, at: datetime) -> bool:
        """Whether it is known to be here. A clock that was set back makes nobody wait."""
        seen = self._seen.get(image)
        return seen is not None and at - seen < LATELY

    def want(self, image: str, uid: str) -> None:
        """A task of this job waits for the image."""
        self._wanted.setdefault(image, set()).add(uid)
        self._wishes.setdefault(uid, {})[image] = None

    def renew(self, image: str, uid: str) -> None:
        """A task of this job waits until the image's registry was asked."""
        self._to_renew.add(image)
        self.want(image, uid)

    def foresee(self, image: str, uid: str, at: datetime) -> None:
        """A task of this job will want the image, when its turn comes."""
        not_had = self._not_had.get(image)
        if not_had is None or abs(at - not_had) > REST:
            self.want(image, uid)

    def take_in(self, fact: ImageFetched) -> bool:
        """Whether somebody has waited for this: nobody, where it was given up."""
        if self._under_way.get(fact.image) != fact.order:
            return False
        del self._under_way[fact.image]
        self._to_renew.discard(fact.image)
        for uid in self._wanted.pop(fact.image, ()):
            self._wishes[uid].pop(fact.image, None)
        if fact.problem is None:
            self._seen[fact.image] = fact.at
            self._not_had.pop(fact.image, None)
        elif not fact.order.renew:
            self._not_had[fact.image] = fact.at
        self._forget_old(fact.at)
        return True

    def doubt(self, image: str) -> None:
        """It was not here when its container was to be made."""
        self._seen.pop(image, None)

    def orders(self) -> Iterator[ImageOrder]:
        """The images to fetch now; they count as being fetched from here on.

        First those of jobs for which the fewest are, so that who wants many holds up nobody else.
        """
        while len(self._under_way) < AT_ONCE:
            shares = self._shares()
            image = min(self._next(shares), default=(0, None))[1]
            if image is None:
                return
            order = ImageOrder(image, next(self._numbers), image in self._to_renew)
            self._under_way[image] = order
            yield order

    def _next(self, shares: Mapping[str, int]) -> Iterator[tuple[int, str]]:
        """For each job that may have a further one fetched: how many are, and which is the next."""
        for uid, images in self._wishes.items():
            share = shares.get(uid, 0)
            image = next((image for image in images if image not in self._under_way), None)
            if share < SHARE and image is not None:
                yield share, image

    def given_up(self, jobs: Mapping[str, LiveJob]) -> Iterator[ImageOrder]:
        """What is fetched and nobody wants any more, now that these `jobs` are left; it is forgotten."""
        for uid in [uid for uid in self._wishes if not _goes_on(jobs.get(uid))]:
            for image in self._wishes.pop(uid):
                self._wanted[image].discard(uid)
                if not self._wanted[image]:
                    del self._wanted[image]
                    self._to_renew.discard(image)
                    if image in self._under_way:
                        yield self._under_way.pop(image)

    def _shares(self) -> dict[str, int]:
        """How many images are being fetched for each job."""
        shares: dict[str, int] = {}
        for image in self._under_way:
            for uid in self._wanted[image]:
                shares[uid] = shares.get(uid, 0) + 1
        return shares

    def _forget_old(self, at: datetime) -> None:
        self._seen = {image: seen for image, seen in self._seen.items() if at - seen < LATELY}
        self._not_had = {image: since for image, since in self._not_had.items() if abs(at - since) <= REST}


def _goes_on(job: LiveJob | None) -> bool:
    return job is not None and job.may_begin
