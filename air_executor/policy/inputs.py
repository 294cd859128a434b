"""PURE. Whether the operator allows what a job brings in its work folder."""

from air_executor.errors import BadInput
from air_executor.format.inputs import Inputs
from air_executor.policy.rules import Policy

MIB = 1 << 20


def check_inputs(inputs: Inputs, settings: Policy) -> None:
    """Raises BadInput where there is more than a job may have on the disk."""
    for has, most, what, setting in (
        (inputs.bytes / MIB, settings.job_disk_mb, "MiB", "job_disk_mb"),
        (inputs.entries, settings.job_inodes, "files and folders", "job_inodes"),
    ):
        if has > most:
            raise BadInput(
                f"has {has:.10g} {what}, and a job may have {most:.10g} on the disk (setting `{setting}`)",
                field="files",
            )
