"""PURE. Whether tasks may leave results and list their outputs here."""

from air_executor.errors import BadInput
from air_executor.format.arguments import ResultOf
from air_executor.format.models import TaskFields
from air_executor.policy.rules import Policy


def check_results(task: TaskFields, settings: Policy, field: str = "") -> None:
    """Raises BadInput where the task relies on what the operator has switched off."""
    if not settings.outputs_mb and task.outputs:
        raise BadInput(
            "outputs of tasks are not listed here (setting `outputs_mb` is 0)", field=f"{field}outputs"
        )
    if settings.result_kb:
        return
    for index, argument in enumerate(task.args):
        if isinstance(argument, ResultOf):
            raise BadInput(
                "tasks leave no results here (setting `result_kb` is 0)", field=f"{field}args[{index}]"
            )
