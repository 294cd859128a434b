"""Which users the tasks of one job may have together."""

import pytest

from air_executor.errors import BadInput
from air_executor.format.models import Task
from manager.core import policy
from manager.model.values import BY_ROOT, MOST_SHARERS, Owner, Sharing
from tests.unit.manager.builders import settings, task

OWNER = Owner(1000, 1000)
RULES = settings(users=("1001", "2000-2999"))
WITHOUT_LISTS = "its file system has none"
ROOT_WITHOUT, OTHER, OTHER_WITHOUT = (
    Sharing(0, WITHOUT_LISTS),
    Sharing(1000, None),
    Sharing(1000, WITHOUT_LISTS),
)


def asking(*names: str | None) -> list[Task]:
    return [task(f"t{number}", user=name) for number, name in enumerate(names)]


def refusal(able: Sharing, *names: str | None, owner: Owner = OWNER, **changed: object) -> str:
    """What is said of a new job whose tasks ask for these users; nothing where it is taken."""
    try:
        policy.check_sharing(asking(*names), owner, RULES.model_copy(update=changed), able)
    except BadInput as error:
        return str(error)
    return ""


def joining(able: Sharing, new: str | None, *names: str | None) -> str:
    try:
        policy.check_joining(asking(new)[0], names, OWNER, RULES, able)
    except BadInput as error:
        return str(error)
    return ""


def test_the_sharers_are_the_users_that_the_tasks_run_as() -> None:
    assert policy.sharers((None, "1000", "1001", "7"), OWNER, RULES) == {1000, 1001}
    assert policy.sharers((None,), Owner(0, 0), RULES) == {RULES.task_uid}


@pytest.mark.parametrize("able", [BY_ROOT, OTHER])
def test_where_there_are_lists_several_users_share(able: Sharing) -> None:
    assert refusal(able, None, "1001", "2000:2000") == ""


def test_without_lists_the_first_task_of_another_user_is_named_with_the_rule_and_what_to_do() -> None:
    told = refusal(ROOT_WITHOUT, None, "1000", "1001", "2000")
    assert told.startswith("tasks[2].user: '1001' can't share the job's work folder with user 1000")
    assert WITHOUT_LISTS in told
    assert "give all tasks of the job one user" in told
    assert refusal(ROOT_WITHOUT, "1001", "1001:1001") == ""


def test_a_manager_that_is_not_root_owns_the_folder_itself() -> None:
    assert refusal(OTHER_WITHOUT, None, "1000") == ""
    told = refusal(OTHER_WITHOUT, None, owner=Owner(1001, 1001))
    assert told.startswith("tasks[0].user: user 1001 can't share the job's work folder with user 1000")
    assert "the manager's user, 1000" in told


def test_a_user_that_a_job_has_for_itself_is_one_more() -> None:
    assert refusal(ROOT_WITHOUT, None, None, job_uids="100000-100999") == ""
    assert "tasks[1].user: '1001'" in refusal(ROOT_WITHOUT, None, "1001", job_uids="100000-100999")
    assert "the user that the job has for itself" in refusal(OTHER_WITHOUT, None, job_uids="100000-100999")


def test_no_job_has_more_users_than_a_list_has_room_for() -> None:
    names = [str(2000 + number) for number in range(MOST_SHARERS)]
    assert refusal(BY_ROOT, *names, *names) == ""
    assert f"tasks[{MOST_SHARERS}].user: '2999' is one user too many" in refusal(BY_ROOT, *names, "2999")
    assert "one user too many" in joining(BY_ROOT, "2999", *names)


def test_who_comes_later_may_be_anybody_whose_user_is_there_already() -> None:
    for able in (BY_ROOT, OTHER, ROOT_WITHOUT, OTHER_WITHOUT):
        assert joining(able, "1000", None) == ""
        assert joining(able, None, "1000") == ""
    assert joining(BY_ROOT, "1001", None) == ""
    assert joining(ROOT_WITHOUT, "1001", None).startswith("user: '1001' can't share")


def test_what_other_users_have_made_only_root_opens_to_one_more() -> None:
    told = joining(OTHER, "2000", None, "1001")
    assert told.startswith("user: '2000' is a user that no task of this job has")
    assert "user 1001" in told
    assert joining(OTHER, "2000", None) == "", "what the manager's own user has made, the manager can open"
    assert joining(OTHER, None, "1001") == "", "the manager shares in every folder"
    assert joining(BY_ROOT, "2000", None, "1001") == ""
