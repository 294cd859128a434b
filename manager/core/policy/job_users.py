"""PURE. A user of its own for each job, from the range of the setting `job_uids`."""

from dataclasses import dataclass, field

from air_executor.format.users import UserRange
from manager.model.values import Owner


@dataclass
class JobUsers:
    """Which live job has which; none where `job_uids` is empty."""

    job_uids: str
    _held: dict[str, Owner | None] = field(default_factory=dict)
    """By the manager's uid of the job; None where it began without one, and goes on so."""

    def take_up(self, uid: str, runs_as: Owner | None) -> None:
        """The job had begun before, as this user, or without one of its own."""
        self._held[uid] = runs_as

    def release(self, uid: str) -> None:
        """The job is over, and so is everything that ran as its user."""
        self._held.pop(uid, None)

    def user_for(self, uid: str) -> Owner | None:
        """That of the job, which has it from now on; None where it has none of its own."""
        if uid not in self._held:
            self._held[uid] = self._free(uid)
        return self._held[uid]

    def is_short(self, uid: str) -> bool:
        """Whether the job has to wait until another is over, for all users of the range are taken."""
        return bool(self.job_uids) and uid not in self._held and self._free(uid) is None

    def _free(self, uid: str) -> Owner | None:
        """One that no live job has, elsewhere in the range for each: files of the last one may be left."""
        if not self.job_uids:
            return None
        within, taken = UserRange.parse(self.job_uids), {held.uid for held in self._held.values() if held}
        first = int(uid, 16) % within.size
        for place in range(min(within.size, len(taken) + 1)):
            number = within.first + (first + place) % within.size
            if number not in taken:
                return Owner(number, number)
        return None
