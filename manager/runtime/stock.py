"""Looks what has become of an attempt while no manager ran."""

from air_executor.clock import utc_now
from air_executor.failpoints import Failpoint, reach
from manager.engine.contract import ContainerGone, Engine, Observation, Status
from manager.engine.retry import Retry
from manager.model.assignment import Act
from manager.model.container_spec import HOME_ID, key_of, warm_of
from manager.model.facts import Inspected
from manager.model.values import Found


class StockTaker:
    """Used by the workers, from their threads."""

    def __init__(self, engine: Engine, home_id: str, retry: Retry) -> None:
        self._engine = engine
        self._home_id = home_id
        self._retry = retry

    def take(self, act: Act) -> Inspected:
        """What stands under the attempt's name; that of a warm container may not be its own yet."""
        name = act.spec.name if act.attempt.warm is None else act.container
        try:
            found = self._retry.until_done(lambda: self._engine.observe(name))
        except ContainerGone:
            return Inspected(key=act.key, found=Found.MISSING, at=utc_now())
        stock = Inspected(
            key=act.key,
            found=self._retry.until_done(lambda: self._kind(act, found)),
            at=utc_now(),
            container_id=found.id,
            image_id=found.image_id,
            created_at=found.created_at,
            started_at=found.started_at,
        )
        reach(Failpoint.STOCK_TAKEN)
        return stock

    def _kind(self, act: Act, found: Observation) -> Found:
        warm = act.attempt.warm
        its_own = key_of(found.labels) == act.key if warm is None else warm_of(found.labels) == warm
        ours = found.labels.get(HOME_ID) == self._home_id and its_own
        if not ours or act.attempt.container.id not in (None, found.id):
            return Found.FOREIGN
        if found.status is Status.CREATED and self._engine.restarted_since(found.created_at):
            return Found.FORGOTTEN
        return Found(found.status.value)
