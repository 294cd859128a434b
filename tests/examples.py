"""Which examples hypothesis draws, and how many."""

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers


def register_profiles() -> None:
    """`steady`: the same examples in each run, so that none fails by chance. `fuzz`: others, for `make fuzz`.

    How long an example takes is a matter of the machine, so no test fails for that.
    """
    settings.register_profile(
        "steady",
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.register_profile("fuzz", settings.get_profile("steady"), derandomize=False, max_examples=1000)
    settings.load_profile("steady")
    # Hypothesis also draws constants that stand in our own modules, in those that have been imported by then.
    # Which these are depends on the tests that the same process ran before, and there is no setting for it.
    providers._get_local_constants = providers.Constants


def fewer(percent: int) -> settings:
    """For a test whose examples take long: so many percent of what other tests get, in each profile."""
    return settings(max_examples=settings.default.max_examples * percent // 100)
