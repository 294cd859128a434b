from air_executor.format import layout


def test_logs_are_named_after_their_task_and_earlier_ones_after_their_attempt_too() -> None:
    assert layout.log_path("greet") == f"{layout.LOGS}/{layout.log_name('greet')}" == "logs/greet.log"
    assert layout.earlier_log_path("greet", 1) == "logs/greet.log.1"
    assert layout.earlier_log_name("greet", 1) == "greet.log.1"
