"""What facts and actions are about."""

from manager.model.values import Capabilities


def test_without_gates_no_container_can_wait_for_a_job_or_be_handed_secrets_either() -> None:
    assert Capabilities.without_gates("no FIFOs here") == Capabilities(*["no FIFOs here"] * 3)
