"""The commands `manager` and `config`, and what `doctor` finds.

This is the one place below `air_executor` that imports `manager`, and only when one of them runs.
"""

import os
import textwrap
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from typer.core import TyperCommand

from air_executor.errors import AirExecutorError
from air_executor.store import HOME_VARIABLE

if TYPE_CHECKING:
    from manager.ops.doctor import Finding
    from manager.settings import Settings

PARTS = {"manager", "docker", "h11", "inotify_simple", "pydantic_settings"}
"""What the manager is made of; when one can't be imported, the manager is not installed."""


class ManagerMissing(AirExecutorError):
    """This installation has the library only."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"the manager is not installed here ({module} is missing): "
            "install it with `pip install 'air-executor[manager]'`"
        )


@dataclass(frozen=True)
class Setting:
    """One setting of the manager, as its model describes it."""

    name: str
    variable: str
    default: str
    meaning: str


class ManagerCommand(TyperCommand):
    """Its help lists every setting."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Append the settings, or how to install the manager."""
        try:
            settings = describe()
        except ManagerMissing as missing:
            formatter.write_paragraph()
            formatter.write_text(str(missing))
            return
        with formatter.section("Settings, from the environment or config.toml in the home folder"):
            for setting in settings:
                formatter.write_text(f"{setting.name} ({setting.variable}), default {setting.default}")
                with formatter.indentation():
                    formatter.write_text(setting.meaning)


def run(home: Path) -> int:
    """Run the manager for `home` until it is told to stop; its exit code."""
    os.environ[HOME_VARIABLE] = str(home)
    with _installed():
        from manager.app import main
    return main()


def doctors_visit(home: Path, *, dry_run: bool) -> "Iterator[Finding]":
    """What a doctor finds in `home`; containers that serve nobody go, unless it is a `dry_run`.

    Raises ManagerMissing.
    """
    os.environ[HOME_VARIABLE] = str(home)
    with _installed():
        from manager.ops import doctor
    return doctor.visit(dry_run=dry_run)


def describe() -> list[Setting]:
    """Every setting. Raises ManagerMissing."""
    with _installed():
        from manager.settings import Settings
    prefix = Settings.model_config.get("env_prefix", "")
    return [
        Setting(
            name=name,
            variable=f"{prefix}{name}".upper(),
            default=_shown(field.get_default(call_default_factory=True, validated_data={})),
            meaning=field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]


def configuration(home: Path) -> str:
    """The settings in force for `home`, for people. Raises ManagerMissing, or BadInput."""
    os.environ[HOME_VARIABLE] = str(home)
    with _installed():
        from manager.settings import CONFIG_FILE, load
    values = load()
    file = home / CONFIG_FILE
    in_file = tomllib.loads(file.read_text()) if file.is_file() else {}
    sections = []
    for setting in describe():
        if setting.variable in os.environ:
            source = f"from {setting.variable}"
        elif setting.name in in_file:
            source = f"from {file}"
        else:
            source = f"default; set {setting.variable} or {setting.name} in {file}"
        sections.append(_section(setting, values, source))
    return "\n".join(sections)


def _section(setting: Setting, values: "Settings", source: str) -> str:
    meaning = textwrap.fill(setting.meaning, width=96, initial_indent="    ", subsequent_indent="    ")
    return f"{setting.name} = {_shown(getattr(values, setting.name))}  ({source})\n{meaning}"


def _shown(value: Any) -> str:
    """A value as TOML has it, so that it can be copied into the file."""
    match value:
        case bool():
            return str(value).lower()
        case Path() | str():
            return f'"{value}"'
        case tuple() | list():
            return "[" + ", ".join(map(_shown, value)) + "]"
        case BaseModel():
            return _shown(value.model_dump(exclude_defaults=True))
        case dict():
            return "{" + ", ".join(f'"{name}" = {_shown(each)}' for name, each in value.items()) + "}"
        case _:
            return str(value)


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        top = (error.name or "").split(".")[0]
        if top not in PARTS:
            raise
        raise ManagerMissing(top) from None
