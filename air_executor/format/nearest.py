"""What somebody may have meant by a name that is none here."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, get_args

from pydantic import BaseModel

LONGEST = 40
MOST = 200
"""Characters of a name, and names, that are compared: that costs time, and anybody may ask for it."""
LIKENESS = 0.7

OF_OTHERS = {
    "arguments": "args",
    "cmd": "command",
    "cmds": "command",
    "container_name": "id",
    "cpus": "resources.cpus",
    "depends_on": "dependencies",
    "container_resources": "resources",
    "continue_on_error": "allow_failure",
    "cpu": "resources.cpus",
    "cpu_limit": "resources.cpus",
    "dependson": "dependencies",
    "device_requests": "resources.gpus",
    "gpu": "resources.gpus",
    "if": "run_if",
    "imagepullpolicy": "pull",
    "limits": "resources",
    "mem": "resources.memory_mb",
    "memory": "resources.memory_mb",
    "retry": "retries",
    "retry_delay": "retries.backoff",
    "runtime_class_name": "runtime",
    "stop_timeout": "stop_grace",
    "artifacts": "outputs",
    "uid": "user",
    "run_as_user": "user",
    "variables": "env",
    "volume_mounts": "mounts",
    "when": "run_if",
    "fail_fast": "on_failure",
    "env_vars": "env",
    "environment": "env",
    "execution_timeout": "timeout",
    "extra_hosts": "hosts",
    "force_pull": "pull",
    "image_pull_policy": "pull",
    "mem_limit": "resources.memory_mb",
    "needs": "dependencies",
    "network_mode": "network",
    "networks": "network",
    "pids_limit": "resources.pids",
    "private_environment": "secret_env",
    "script": "command",
    "shm_size": "resources.shm_mb",
    "skip_on_exit_code": "skip_exit_codes",
    "tags": "labels",
    "task_id": "id",
    "tmpfs": "scratch",
    "trigger_rule": "run_if",
    "upstream": "dependencies",
    "volumes": "mounts",
    "working_dir": "workdir",
}
"""What DockerOperator, KubernetesPodOperator, Compose and CI files call what has another name here."""


def unknown_field(name: str, known: Iterable[str]) -> str:
    """What is said of a field of this name, where only these are `known`."""
    hint = did_you_mean(name, known)
    return f"is not a known field{hint or ' (begin its name with _ to make it a comment)'}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence on a `name` that is none of those known; empty where none is like it."""
    found = nearest(name, known)
    return f"; did you mean `{found}`?" if found else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of the known names that was meant, where that can be told."""
    if len(name) > LONGEST:
        return None
    word = name.lower().replace("-", "_")
    names = {each.lower(): each for each in islice(known, MOST) if len(each) <= LONGEST}
    if OF_OTHERS.get(word) in names:
        return OF_OTHERS[word]
    below = (each for each in names.values() if each.rpartition(".")[2] == word)
    own = [each for each in names if "." not in each]
    turned = [each for each in own if sorted(each) == sorted(word)]  # short ones are not alike else
    like = turned or get_close_matches(word, own, 1, cutoff=LIKENESS)
    return next(below, names[like[0]] if like else None)


def fields_at(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """The fields of what stands at that place in a `model`, and of what is below: `resources.cpus`."""
    models = [model]
    for part in place:
        fields = [each.model_fields[str(part)] for each in models if str(part) in each.model_fields]
        if fields:  # else it is the number of an entry, or a key
            models = [found for field in fields for found in _models_in(field.annotation)]
    own = {name: field for each in models for name, field in each.model_fields.items()}
    below = [f"{name}.{inner}" for name, field in own.items() for inner in _fields_of(field.annotation)]
    return [*own, *below]


def _fields_of(annotation: Any) -> list[str]:
    return [name for model in _models_in(annotation) for name in model.model_fields]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
