"""Every setting: the environment before the file, within its bounds, and named when it is wrong."""

import errno
import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from air_executor.errors import BadInput
from manager import settings
from manager.settings import Secret, Settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("AIR_EXECUTOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AIR_EXECUTOR_HOME", str(tmp_path))
    return tmp_path


def toml(home: Path, text: str) -> None:
    (home / "config.toml").write_text(text)


def test_the_defaults(home: Path) -> None:
    found = settings.load()
    assert (found.home, found.poll_interval, found.max_runners) == (home, 5.0, 10)
    assert (found.cancel_grace, found.task_uid) == (10.0, 65534)
    assert found.runner_image == "air-executor-runner:latest"


def test_the_home_is_the_folder_here_when_nothing_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIR_EXECUTOR_HOME")
    monkeypatch.chdir(tmp_path)
    assert settings.load().home == tmp_path / ".air-executor"


def test_a_relative_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIR_EXECUTOR_HOME", "here/it/is")
    assert settings.load().home == tmp_path / "here/it/is"


def test_the_file_is_read(home: Path) -> None:
    toml(home, 'max_runners = 3\npull = false\nnetworks = ["db", "web"]\npoll_interval = 1')
    found = settings.load()
    assert (found.max_runners, found.pull, found.networks, found.poll_interval) == (
        3,
        False,
        ("db", "web"),
        1,
    )


def test_the_environment_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml(home, "max_runners = 3\nmax_tasks = 7")
    monkeypatch.setenv("AIR_EXECUTOR_MAX_RUNNERS", "4")
    monkeypatch.setenv("AIR_EXECUTOR_NETWORKS", '["db"]')
    found = settings.load()
    assert (found.max_runners, found.max_tasks, found.networks) == (4, 7, ("db",))


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("poll_interval", ["0", "0.9", "61", "fast", "nan", "inf"], ["1", "60"]),
        ("max_runners", ["0", "-1", "1001", "1.5"], ["1", "1000"]),
        ("max_tasks", ["0"], ["1"]),
        ("task_uid", ["0", "-1", "root", "99999999999", "2147483648"], ["1", "2147483647"]),
        ("cancel_grace", ["-1", "3601", "nan"], ["0", "0.5", "3600"]),
        ("memory_mb", ["5", "lots"], ["6"]),
        ("cpus", ["0", "-2"], ["0.01", "4"]),
        ("pids", ["0"], ["1"]),
        ("tmp_mb", ["0"], ["1"]),
        ("log_mb", ["0", "1025"], ["1", "1024"]),
        ("incomplete_after", ["0"], ["1"]),
        ("settle", ["-1"], ["0"]),
        ("engine_timeout", ["0", "1e300", "inf"], ["1"]),
        ("timeout", ["0", "inf", "nan", "1e300"], ["1"]),
        ("runner_image", ["", "Debian", "a b"], ["debian:12", "localhost:5000/x"]),
        ("pull", ["perhaps"], ["true", "false", "0"]),
        ("networks", ["db", "{}", '"db"', "[1]", '[""]', '["host"]', '["Host"]'], ['["db"]', "[]"]),
        ("networks", ['["container:other"]', '["none"]', '["bridge"]', '["default"]', '["ok", "job"]'], []),
        (
            "users",
            ['["0"]', '["root"]', '["1000:0"]', '["9999999999"]', "[1000]", '["5-3"]'],
            ['["7", "8-9"]'],
        ),
        ("groups", ["[0]", '["100"]', "[true]", "[2147483648]", "[1.5]"], ["[100]", "[]"]),
        ("max_memory_mb", ["5", "inf", "1048577"], ["6"]),
        (
            "gpus",
            ["-1", "1025", "true", '[""]', "[0]", '["0", "0"]', '{"0": 1}', "all"],
            ["0", "2", '["GPU-1"]'],
        ),
        (
            "ulimits",
            ["5", "[]", '{"nproc": 1}', '{"nofile": 1}', '{"fsize": 1}', '{"x": 1}', '{"cpu": -1}'],
            ['{"memlock": 67108864}', "{}"],
        ),
        ("runtimes", ["runsc", '[""]', '["../x"]'], ['["runsc", "kata"]', "[]"]),
        ("max_timeout", ["0", "inf", "1e300"], ["60"]),
        ("max_retries", ["-1", "101"], ["0"]),
        ("job_runners", ["-1", "1001"], ["0", "5"]),
        ("job_uids", ["0-5", "999-2000", "5000", "5000:1", "2000-1000", "a-b"], ["", "100000-165535"]),
        ("images", ["*", '[""]'], ['["debian:*"]', "[]"]),
        ("registries", ["public", '[""]'], ['["public", "localhost:5000"]', "[]"]),
        (
            "egress",
            ["shut", '["a.example"]', '["10.0.0.1/8"]', '"open"'],
            ["open", "none", "[]", '["10.0.0.0/8"]'],
        ),
        ("unreachable", ["none", '["300.0.0.1"]', json.dumps(["10.0.0.1"] * 201)], ["[]", '["fd00::/8"]']),
        ("reachable", ["open", "[[]]"], ["[]", '["192.0.2.2"]']),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_the_setting_and_both_places_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, bad: list[str], good: list[str]
) -> None:
    for value in good:
        monkeypatch.setenv(f"AIR_EXECUTOR_{name.upper()}", value)
        settings.load()
    for value in bad:
        monkeypatch.setenv(f"AIR_EXECUTOR_{name.upper()}", value)
        with pytest.raises(BadInput) as caught:
            settings.load()
        assert name in str(caught.value), value
        assert f"AIR_EXECUTOR_{name.upper()}" in str(caught.value)


def test_a_value_of_the_file_that_is_out_of_bounds_is_refused(home: Path) -> None:
    toml(home, "max_runners = 0")
    with pytest.raises(BadInput, match=r"max_runners: .*not 0; set it in .*config\.toml"):
        settings.load()


def test_egress_is_kept_as_the_networks_that_it_means(home: Path) -> None:
    assert settings.load().egress == settings.OPEN
    toml(home, 'egress = "none"')
    assert settings.load().egress == ()
    toml(home, 'egress = ["192.0.2.2", "2001:db8::/32"]')
    assert settings.load().egress == ("192.0.2.2/32", "2001:db8::/32")


def test_a_setting_that_does_not_exist_is_refused_so_that_a_misspelt_one_is_noticed(home: Path) -> None:
    toml(home, "max_runner = 5")
    with pytest.raises(BadInput, match="max_runner: "):
        settings.load()


def test_it_is_named_with_the_nearest_that_exists(home: Path) -> None:
    toml(home, "max_runner = 3")
    with pytest.raises(BadInput, match=r"max_runner: is no setting; did you mean `max_runners`\?"):
        settings.load()


def test_a_file_that_is_not_toml_is_refused_with_its_place(home: Path) -> None:
    toml(home, "max_runners: 5")
    with pytest.raises(BadInput, match=r"config\.toml: is not TOML: .*line 1"):
        settings.load()


def test_variables_that_tasks_get_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIR_EXECUTOR_JOB", "job")
    settings.load()


@pytest.mark.parametrize("name", ["max_runners", "timeout", "runner_image", "networks", "home", "cpus"])
def test_true_is_no_number_and_no_text(home: Path, name: str) -> None:
    toml(home, f"{name} = true")
    if name == "home":  # the environment has it
        return
    with pytest.raises(BadInput, match=rf"^{name}: must not be true or false, not True; set it in"):
        settings.load()


def test_a_file_that_is_a_folder_is_refused(home: Path) -> None:
    (home / "config.toml").mkdir()
    with pytest.raises(BadInput, match=r"config\.toml: is not a regular file: settings are lines"):
        settings.load()


def test_a_file_that_is_a_pipe_is_refused_and_not_waited_for(home: Path) -> None:
    os.mkfifo(home / "config.toml")
    with pytest.raises(BadInput, match="is not a regular file"):
        settings.load()


def test_a_file_that_can_not_be_read_is_told_in_a_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml(home, "max_runners = 3")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(BadInput, match=r"config\.toml: can't be read: Permission denied"):
        settings.load()


def test_a_file_that_is_not_utf_8_is_told_in_a_sentence(home: Path) -> None:
    (home / "config.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(BadInput, match=r"config\.toml: is not UTF-8: byte 5"):
        settings.load()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AIR_EXECUTOR_BOGUS", "AIR_EXECUTOR_BOGUS is no setting, and changes nothing"),
        ("AIR_EXECUTOR_MAX_RUNNER", "changes nothing; did you mean AIR_EXECUTOR_MAX_RUNNERS?"),
        ("AIR_EXECUTOR_NETWORK", "did you mean AIR_EXECUTOR_NETWORKS?"),
    ],
)
def test_a_variable_that_looks_like_a_setting_and_is_none_is_named_with_the_nearest(
    name: str, words: str
) -> None:
    (complaint,) = settings.misspelt({name: "1", "AIR_EXECUTOR_WARM": "1", "PATH": "/bin"})
    assert words in complaint


def test_variables_of_compose_and_of_tasks_are_not_complained_about() -> None:
    others = {
        f"AIR_EXECUTOR_{name}": "x" for name in ("UID", "HOME", "DAGS", "JOB", "AIRFLOW_IMAGE", "INBOX")
    }
    assert list(settings.misspelt(others)) == []


def test_every_number_has_bounds() -> None:
    for name, field in Settings.model_fields.items():
        if field.annotation in (int, float):
            bounds = {type(each).__name__ for each in field.metadata}
            assert bounds & {"Ge", "Gt"} and "Le" in bounds, name


def test_every_setting_is_explained() -> None:
    unexplained = [name for name, field in Settings.model_fields.items() if not field.description]
    assert unexplained == []


def test_mounts_are_tables_of_the_file_or_an_object_in_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml(home, '[mounts.data]\npath = "/srv/data/"\nread_only = false\n[mounts.pip]\ncache = true')
    found = settings.load().mounts
    assert (found["data"].path, found["data"].writable, found["pip"].cache) == ("/srv/data", True, True)
    monkeypatch.setenv("AIR_EXECUTOR_MOUNTS", '{"vol": {"volume": "v"}}')
    assert list(settings.load().mounts) == ["vol"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[mounts.data]\npath = "/"', "mounts.data.path: can't be handed out"),
        ('[mounts.data]\npath = "srv"', "mounts.data.path: must be an absolute path"),
        ('[mounts."a/b"]\npath = "/srv"', "mounts.a/b"),
        ("[mounts.data]\nread_only = true", "mounts.data: must have one of `path`, `volume` and `cache"),
        ('mounts = ["data"]', "mounts: "),
    ],
)
def test_mounts_that_can_not_be_are_named(home: Path, text: str, words: str) -> None:
    toml(home, text)
    with pytest.raises(BadInput, match=rf"^{words}.*config\.toml"):
        settings.load()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[mounts.a]\npth = "/srv/a"', "mounts.a.pth: is no key here; did you mean `path`?"),
        ('[secrets.a]\nfle = "/srv/a"', "secrets.a.fle: is no key here; did you mean `file`?"),
        ('[secrets.a]\ncommand = "cat x"', 'secrets.a.command: must be a list such as ["cat", "/srv/x"];'),
        ('[secrets.a]\nfile = "/x"\nusers = "1000"', 'secrets.a.users: must be a list such as ["1000"];'),
        ('[secrets.a]\nfile = "/x"\nmask = "no"', "secrets.a.mask: must be true or false;"),
        ('[mounts.a]\npath = "/x"\nread_only = "no"', "mounts.a.read_only: must be true or false, not 'no'"),
        ('[mounts.a]\ncache = "no"', "mounts.a.cache: must be true or false, not 'no'"),
        ('[mounts.a]\npath = "/x"\nusers = "1000"', 'mounts.a.users: must be a list such as ["1000"], not'),
        ('runtimes = "runsc"', 'runtimes: must be a list such as ["runsc"], not'),
        ('users = "1000"', 'users: must be a list such as ["1000"], not'),
        ("groups = 100", "groups: must be a list such as [100], not"),
        ('images = "debian"', 'images: must be a list such as ["debian:*"], not'),
        ('gpus = "all"', 'gpus: must be a number, or a list such as ["0", "1"], of'),
        ("ulimits = 5", "ulimits: must be a table of ceilings by name, such as memlock"),
        ('unreachable = "none"', 'unreachable: must be a list such as ["10.0.0.0/8"], of'),
    ],
)
def test_each_is_refused_with_what_it_should_be(home: Path, text: str, words: str) -> None:
    toml(home, text)
    with pytest.raises(BadInput) as caught:
        settings.load()
    assert str(caught.value).startswith(words)


class TestSecrets:
    def test_their_commands_show_the_program_alone(self) -> None:
        secret = Secret(command=("vault", "-token=s3cret"))
        assert secret.model_dump()["command"] == ("vault", "…")
        assert "s3cret" not in repr(secret) + str(Settings(home=Path("/nowhere"), secrets={"db": secret}))
        assert secret.command == ("vault", "-token=s3cret")

    def test_are_tables_of_the_file_or_an_object_of_the_environment(self) -> None:
        found = Settings(home=Path("/nowhere"), secrets='{"db": {"file": "/srv/db", "users": ["1000"]}}')  # type: ignore[arg-type]
        assert found.secrets["db"].may_be_had_by(1000)
        assert found.secrets["db"].mask

    @pytest.mark.parametrize(
        "secret",
        [
            {},
            {"file": "/srv/db", "command": ["true"]},
            {"file": "srv/db"},
            {"command": []},
            {"command": "true"},
            {"command": [""]},
            {"file": "/srv/db", "users": ["root"]},
            {"file": "/srv/db", "value": "no"},
        ],
        ids=str,
    )
    def test_are_had_in_one_way(self, secret: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            Settings(home=Path("/nowhere"), secrets={"db": secret})  # type: ignore[dict-item]

    @pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "x" * 65, "-a"])
    def test_have_names_that_files_may_have(self, name: str) -> None:
        with pytest.raises(ValidationError, match="is no secret's name"):
            Settings(home=Path("/nowhere"), secrets={name: {"file": "/srv/db"}})  # type: ignore[dict-item]

    def test_are_for_the_managers_own_user_and_root_where_nothing_is_said(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("os.geteuid", lambda: 1000)
        one = Secret(file=Path("/srv/db"))
        assert [uid for uid in (0, 999, 1000, 1001) if one.may_be_had_by(uid)] == [0, 1000]
        monkeypatch.setattr("os.geteuid", lambda: 0)
        assert [uid for uid in (0, 1, 1000) if Secret(file=Path("/srv/db")).may_be_had_by(uid)] == [0]


@pytest.mark.parametrize(
    ("text", "variable"),
    [
        ('[secrets.db]\nvalue = "hunter2"', None),
        ('[secrets]\ndb = "hunter2"', None),
        ('secrets = "hunter2"', None),
        ('[secrets.db]\ncommand = "curl hunter2"', None),
        ('[secrets.db]\nfile = "hunter2"', None),
        ("", '{"db": {"value": "hunter2"}}'),
        ("", '{"db": {"value": "hunter2"'),
    ],
)
def test_no_error_repeats_what_may_be_a_secret(
    home: Path, monkeypatch: pytest.MonkeyPatch, text: str, variable: str | None
) -> None:
    toml(home, text)
    if variable is not None:
        monkeypatch.setenv("AIR_EXECUTOR_SECRETS", variable)
    with pytest.raises(BadInput, match="secrets") as caught:
        settings.load()
    assert "hunter2" not in str(caught.value)
