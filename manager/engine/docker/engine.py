"""The Docker Engine behind the contract: each of its verbs in calls of the Docker API."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
import urllib3
from docker.errors import APIError, DockerException, NotFound

from air_executor.errors import quoted
from air_executor.format.images import parse_reference
from manager.engine.contract import (
    CommandUnusable,
    Confinement,
    ContainerGone,
    EngineError,
    EngineUnavailable,
    ImageMissing,
    ImageUnusable,
    Impossible,
    NameTaken,
    NetworkEnded,
    NetworkMissing,
    Observation,
    Pull,
    StartUnanswered,
    Status,
)
from manager.engine.docker import confinement, declared, devices, log_stream, name_files, volumes
from manager.engine.docker.account_files import AccountFiles
from manager.engine.docker.archive import entry
from manager.engine.docker.connection import BAD_REQUEST, Connection, sentence, translated
from manager.engine.docker.image_config import image_facts
from manager.engine.docker.images import A_SILENCE, Entry, Images, Refused, with_remark
from manager.engine.docker.logins import Logins
from manager.engine.docker.network_holders import NetworkHolders
from manager.engine.docker.own_container import leads_to, own_container_ids
from manager.engine.docker.places import ImagePlaces, workdir_problem
from manager.engine.docker.translate import (
    A_RECORD,
    SURELY_KEPT,
    PathTable,
    Terms,
    container_body,
    engine_time,
    is_the_kernels,
    listed,
    observation,
    only_file,
    surely_kept,
    too_long,
    unusable_command,
)
from manager.engine.registries import Registries
from manager.model.container_spec import (
    ACCOUNTS,
    DIGEST,
    GATED,
    HOME_ID,
    HOME_PATH,
    NAMES,
    ROLE,
    ContainerSpec,
)
from manager.model.image_facts import ImageFacts, check_words
from manager.model.values import Capabilities, Host

NOT_EXECUTED = (126, 127)
"""Exit codes by which the container's init says that it could not execute the command; tasks use them too."""
NAME_PAUSE = 0.05
BEING_REMOVED = ("removing", "dead")
"""Whoever removes a running container kills it first: its exit code is theirs, not the command's."""
FOR_COMMANDS = ("task", "warm")
"""The roles of containers that run what somebody else wrote."""
MOST_IMAGES = 256
"""Images of which it is remembered what they say of themselves."""
A_TASKS_LIFE = 7 * 24 * 3600.0
"""Seconds of silence in a call that lasts as long as a container runs, after which it is made again."""


class DockerEngine:
    """See `contract.Engine`. Safe to use from several threads."""

    def __init__(
        self,
        timeout: float,
        pull: bool,
        registries: Registries,
        on_pull: Callable[[Pull], None],
        seccomp: confinement.Choice,
        open_files: int,
        tmp_exec: bool,
        logins: Logins,
    ) -> None:
        """Nothing is asked of the engine yet. `timeout`: seconds that a call may take."""
        self._timeout = timeout
        self._api = Connection(timeout).api
        self._registries = registries
        self._logins = logins
        self._images = Images(pull, self._image_id, self._pulling, on_pull)
        self._seccomp = seccomp
        self._open_files = open_files
        self._tmp_exec = tmp_exec
        self._accounts = AccountFiles(self, self._api)
        self._image_facts: dict[str, ImageFacts] = {}
        """By id, of the images that containers were made of last."""
        self._places = ImagePlaces(self, self._api)
        self._told: dict[str, Any] | None = None
        """What it has said of itself and its host."""
        self._paths: PathTable | None = None
        self._holders = NetworkHolders(self)
        self._unasked: set[str] = set()
        """Containers that were made here and that nobody has asked to start: so they have not begun."""
        self._own: dict[str, str] = {}
        """The homes of the tasks' containers that were made here: labels never change."""

    # --- The contract ------------------------------------------------------------------------------------

    def capabilities(self) -> Capabilities:
        return Capabilities(gates=None, warm=None)

    def describe(self) -> str:
        with translated():
            return f"Docker {self._api().version(api_version=False)['Version']}"

    def host(self) -> Host:
        with translated():  # anew: it may have been restarted, on a machine that is another by now
            self._told = told = self._api().info()
        return Host(cpus=told["NCPU"], memory_mb=told["MemTotal"] >> 20)

    def confinement(self) -> Confinement:
        return confinement.confinement(self._info(), self._seccomp)

    def image_id(self, image: str) -> str | None:
        with translated():
            return self._image_id(image)

    def fetch(self, image: str) -> None:
        if self.image_id(image) is None:
            self._images.fetch(image)

    def renew(self, image: str) -> None:
        self._images.renew(image)

    def image_facts(self, image_id: str) -> ImageFacts | None:
        known = self._image_facts.get(image_id)
        if known is None:
            with translated():
                self._image(image_id)
            known = self._image_facts.get(image_id)
        return known

    def stop_fetching(self, image: str) -> None:
        self._images.give_up(image)

    def create(self, spec: ContainerSpec, network: ContainerSpec | None) -> str:
        if network is None:
            return self._create_or_adopt(spec, None)
        try:
            holder = self._holders.id_of(network)
        except Impossible as error:  # not the task has asked for that one
            raise EngineError(str(error)) from None
        try:
            return self._create_or_adopt(spec, holder)
        except ContainerGone:  # an engine that finds out at once that there is no such network
            self._holders.forget(holder)
            raise

    def _create_or_adopt(self, spec: ContainerSpec, network_id: str | None) -> str:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return self._create(spec, network_id)
            except NameTaken:
                # A name is taken a little before its container can be looked at.
                with suppress(ContainerGone):
                    found = self.observe(spec.name)
                    if _serves(found, spec):
                        return found.id
                    raise
            if time.monotonic() > deadline:
                raise EngineUnavailable(f"the name {spec.name} is taken, and there is no such container")
            time.sleep(NAME_PAUSE)

    def start(self, container: str) -> Observation:
        if container in self._unasked:
            self._unasked.discard(container)
        elif (found := self.observe(container)).status is not Status.CREATED:
            return found
        with translated():
            try:
                self._ask_to_start(container)
            except APIError as error:
                raise self._start_failure(container, error) from None
        return self.observe(container)

    def _ask_to_start(self, container: str) -> None:
        try:
            self._api().start(container)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise StartUnanswered(f"the container engine does not answer: {error}") from None

    def restarted_since(self, moment: datetime) -> bool:
        """The default bridge is made anew when the engine starts (seen with 26.1, not with live-restore)."""
        with translated():
            try:
                made = self._api().inspect_network("bridge")["Created"]
            except NotFound:
                return True
            began = engine_time(made)
            return began is None or began > moment

    def follow(self, container: str, sink: Callable[[bytes], None]) -> bool:
        size = 0
        with translated():
            output = self._api(A_TASKS_LIFE).logs(container, stream=True, follow=True)
            with closing(output._response) as response:  # type: ignore[attr-defined]
                for piece in log_stream.pieces(response):
                    size += len(piece.data) + piece.records * A_RECORD
                    sink(piece.data)
            return size < SURELY_KEPT or size < surely_kept(self._api().inspect_container(container))

    def first_words(self, container: str) -> bytes:
        with translated():
            for chunk in self._api().logs(container, stream=True, follow=True):
                return bytes(chunk)
        return b""

    def wait(self, container: str) -> None:
        with translated():
            self._api(A_TASKS_LIFE).wait(container)

    def observe(self, container: str) -> Observation:
        try:
            found = self._inspected(container)
        except ContainerGone:
            self._holders.forget(container)
            raise
        self._holders.review(found)
        return found

    def _inspected(self, container: str) -> Observation:
        with translated():
            data = self._api().inspect_container(container)
            if data["State"]["Status"] in BEING_REMOVED:
                raise ContainerGone(f"the container {container} is being removed by somebody else")
            reason = None
            if data["State"]["Status"] == "exited" and data["State"]["ExitCode"] in NOT_EXECUTED:
                reason = self._unusable_command(data)
            return observation(data, reason)

    def signal(self, container: str, signal: str) -> None:
        with translated():
            try:
                self._api().kill(container, signal)
            except APIError as error:
                if error.status_code != 409:  # it is not running
                    raise

    def remove(self, container: str, home_id: str) -> None:
        self._unasked.discard(container)
        self._holders.forget(container)
        with translated():
            try:
                if self._home_of(container) == home_id:
                    self._api().remove_container(container, force=True, v=True)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != 409:  # somebody else is removing it
                    raise

    def rename(self, container: str, name: str) -> None:
        with translated():
            self._api().rename(container, name)

    def read_file(self, container: str, path: str) -> bytes | None:
        with translated():
            found = entry(self._api(), container, path)
            if found is None:
                return None
            if found.stat is None:
                self._api().inspect_container(container)  # raises where that is what there is not
                return None
            return only_file(b"".join(found.content))

    def listen(self) -> None:
        """Asks for events that hardly ever happen; only the end of their stream counts."""
        with translated():
            for _ in self._api(A_TASKS_LIFE).events(filters={"type": "daemon"}):
                continue

    def containers(self, home_id: str) -> list[Observation]:
        with translated():
            found = self._api().containers(all=True, filters={"label": f"{HOME_ID}={home_id}"})
        all_of_them = [listed(data) for data in found]
        self._holders.keep([each.id for each in all_of_them if each.status is Status.RUNNING])
        folders = (each.labels.get(label, "") for each in all_of_them for label in (ACCOUNTS, NAMES))
        self._accounts.keep(set(folders))
        return all_of_them

    # --- Containers --------------------------------------------------------------------------------------

    def _create(self, spec: ContainerSpec, network_id: str | None) -> str:
        problem = too_long(spec)
        if problem is not None:
            raise CommandUnusable(problem)
        with translated():
            image = self._image(spec.image)
            if image is None:
                return self._create_after_a_pull(spec, network_id)
            self._check_words(spec, image)
            self._check_places(spec, str(image["Id"]))
            terms = self._terms(spec, image, network_id)
            body = container_body(spec, self._path_table(), network_id, terms)
            try:
                made = self._api().create_container_from_config(body, name=spec.name)  # type: ignore[no-untyped-call]
            except APIError as error:
                if error.status_code == 409:
                    raise NameTaken(
                        f"the container name {spec.name} is taken by a container that is not this task's; "
                        f"look at it with `docker inspect {spec.name}`"
                    ) from None
                if error.status_code == 404 and self._image_id(spec.image) is None:
                    return self._create_after_a_pull(spec, network_id)
                refusal = self._refusal(spec, body, error)
                if refusal is None:
                    raise
                raise refusal from None
        container = str(made["Id"])
        self._unasked.add(container)
        if spec.labels[ROLE] == "task":  # helpers are removed by their names
            self._own[container] = spec.labels[HOME_ID]
        return container

    def _check_words(self, spec: ContainerSpec, image: dict[str, Any]) -> None:
        """Where the image says what is executed."""
        if spec.runs_the_images:
            try:
                check_words(spec.command, spec.image, image_facts(image))
            except ValueError as error:
                raise CommandUnusable(str(error)) from None

    def _refusal(self, spec: ContainerSpec, body: dict[str, Any], error: APIError) -> EngineError | None:
        """What lies with the task of what the engine refuses; None where that is told by its status alone."""
        if error.status_code == 404 and spec.network.kind == "named":
            return NetworkMissing(spec.network.name)
        if error.status_code == BAD_REQUEST:
            unknown = devices.unknown_runtime(spec, self._info()) or self._undeclarable(spec, body, error)
            if unknown is not None:
                return unknown
            gone = next((each.source for each in spec.mounts if not Path(each.source).exists()), None)
            return None if gone is None else EngineError(sentence(error))  # somebody has removed it just now
        own_workdir = spec.workdir not in ("/", *(mount.target for mount in spec.mounts))
        if own_workdir and self._can_be_made(body | {"WorkingDir": "/"}, f"{spec.name}-elsewhere"):
            return _no_such_folder(spec.workdir, error)
        return None

    def _check_places(self, spec: ContainerSpec, image_id: str) -> None:
        """Before the engine is asked for it: it would make what is missing. Raises EngineError."""
        problem = (
            declared.problem(spec, self._path_table().host_path(spec.labels[HOME_PATH]), leads_to)
            or workdir_problem(spec)
            or self._places.problem(spec, image_id)
        )
        if problem is not None:
            raise Impossible(problem)
        for each in spec.declared:
            if each.kind == "volume":
                try:
                    self._api().inspect_volume(each.source)
                except NotFound:
                    raise Impossible(declared.no_such_volume(each)) from None

    def _undeclarable(self, spec: ContainerSpec, body: dict[str, Any], error: APIError) -> Impossible | None:
        """The first of the operator's folders that can't be mounted, where that is what is at fault."""
        if not spec.declared or not self._can_be_made(declared.without(body, spec), f"{spec.name}-elsewhere"):
            return None
        for each in spec.declared:
            alone = declared.without(body, spec, but=each)
            if each.kind == "path" and not self._can_be_made(alone, f"{spec.name}-elsewhere"):
                return Impossible(declared.no_such_folder(each, sentence(error)))
        return None

    def _can_be_made(self, body: dict[str, Any], name: str) -> bool:
        """It is thrown away at once, and never started."""
        try:
            made = self._api().create_container_from_config(body, name=name)  # type: ignore[no-untyped-call]
        except APIError:
            return False
        self._api().remove_container(made["Id"], force=True, v=True)
        return True

    def _create_after_a_pull(self, spec: ContainerSpec, network_id: str | None) -> str:
        if not spec.pull:
            raise ImageMissing(
                f"there is no image {spec.image!r} here, and none is pulled for what tasks queue, or where "
                '`pull` is "never"'
            )
        self._images.fetch(spec.image)
        return self._create(spec, network_id)

    def _terms(self, spec: ContainerSpec, image: dict[str, Any], network_id: str | None) -> Terms:
        found = volumes.declared(image)
        problem = volumes.unusable(found, spec.places)
        if problem is not None:
            raise ImageUnusable(f"the image {spec.image!r} can't be used: {problem}")
        named = spec.labels[ROLE] in FOR_COMMANDS
        accounts = self._accounts.of(spec, str(image["Id"])) if named else None
        return Terms(
            volumes=found,
            seccomp=confinement.profile(self._info(), self._seccomp),
            open_files=self._open_files,
            tmp_exec=self._tmp_exec,
            accounts=None if accounts and accounts.lie_in(spec.places) else accounts,
            heeds_variables=devices.heeds_variables(self._info()),
            names=name_files.of(spec, network_id, self, self._accounts),
        )

    def _info(self) -> dict[str, Any]:
        told = self._told
        if told is None:
            with translated():
                self._told = told = self._api().info()
        return told

    def _home_of(self, container: str) -> str | None:
        if container in self._own:
            return self._own.pop(container)
        labels = self._api().inspect_container(container)["Config"]["Labels"] or {}
        return labels.get(HOME_ID)

    def _start_failure(self, container: str, error: APIError) -> EngineError:
        data = self._api().inspect_container(container)
        if data["State"]["ExitCode"] in NOT_EXECUTED:
            reason = self._unusable_command(data)
            if reason:
                return CommandUnusable(reason)
        kind, _, holder = data["HostConfig"]["NetworkMode"].partition(":")
        if kind == "container" and not self._runs(holder):
            self._holders.forget(holder)
            return NetworkEnded(sentence(error))
        if kind != "container" and error.status_code == 404:  # the container itself was inspected just now
            return NetworkMissing(kind)
        without = devices.refusal(data, sentence(error))
        if without is not None:
            return without
        if is_the_kernels(data["Config"]["WorkingDir"] or "/"):
            return _no_such_folder(data["Config"]["WorkingDir"], error)
        if error.status_code == BAD_REQUEST and GATED not in (data["Config"]["Labels"] or {}):
            return Impossible(sentence(error))
        return EngineError(sentence(error))  # what starts behind a gate is ours, and was made already

    def _runs(self, container: str) -> bool:
        try:
            return bool(self._api().inspect_container(container)["State"]["Running"])
        except NotFound:
            return False

    def _unusable_command(self, data: dict[str, Any]) -> str | None:
        config = data["Config"]
        if GATED in (config["Labels"] or {}):  # its first process is the gate, which says so itself
            return None
        variables = dict(entry.partition("=")[::2] for entry in config["Env"] or [])
        path = variables.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        command = (config["Entrypoint"] or config["Cmd"])[0]
        return unusable_command(
            command, path, config["WorkingDir"] or "/", lambda file: self._mode(data["Id"], file)
        )

    def _mode(self, container: str, path: str) -> int | None:
        """The permission bits of a file in a container, whether it runs or not; links are followed."""
        found = entry(self._api(), container, path)
        return None if found is None or found.stat is None else int(found.stat["mode"]) & 0o777

    # --- Images ------------------------------------------------------------------------------------------

    def _image_id(self, image: str) -> str | None:
        found = self._image(image)
        return None if found is None else str(found["Id"])

    def _image(self, image: str) -> dict[str, Any] | None:
        """What the engine says of it; None where it is not here. Raises ImageUnusable."""
        if not set(image.split("/")).isdisjoint(("", ".", "..")):  # it would be another call of the API
            raise ImageUnusable(f"{image!r} is no image's name")
        try:
            found: dict[str, Any] = self._api().inspect_image(image)  # type: ignore[no-untyped-call]
        except NotFound:
            return None
        except APIError as error:
            if error.status_code == 400:  # of a call in which there is nothing but the name
                raise ImageUnusable(f"{image!r} is no image's name: {sentence(error)}") from None
            raise
        self._remember(str(found["Id"]), found)
        return found

    def _remember(self, image_id: str, data: dict[str, Any]) -> None:
        self._image_facts.pop(image_id, None)
        for oldest in list(self._image_facts)[: -MOST_IMAGES + 1]:
            self._image_facts.pop(oldest, None)
        self._image_facts[image_id] = image_facts(data)

    def _pulling(self, image: str) -> Iterator[Entry]:
        refusal = self._registries.refusal(image)
        if refusal is not None:
            raise Refused(refusal)
        login = self._logins.of(parse_reference(image).registry)
        with translated():
            try:
                api = self._api(A_SILENCE)
                said = api.pull(image, stream=True, decode=True, auth_config=login.words)
                yield from with_remark(said, login.remark)
            except (requests.Timeout, urllib3.exceptions.TimeoutError):  # the engine itself is well
                raise Refused(f"nothing was heard of it for {A_SILENCE:g} s") from None
            except APIError as error:
                raise Refused(f"{sentence(error)}; {login.remark}") from None
            except DockerException as error:
                raise Refused(str(error)) from None

    # --- Folders -----------------------------------------------------------------------------------------

    def _path_table(self) -> PathTable:
        if self._paths is None:
            with translated():
                self._paths = PathTable(self._own_mounts())
        return self._paths

    def _own_mounts(self) -> Iterator[tuple[str, str]]:
        """The mounts of the container that this process runs in, if it runs in one of this engine's."""
        for candidate in own_container_ids():
            with suppress(NotFound):
                mounts = self._api().inspect_container(candidate)["Mounts"]
                return iter([(mount["Destination"], mount["Source"]) for mount in mounts])
        return iter(())


def _no_such_folder(workdir: str, error: APIError) -> CommandUnusable:
    return CommandUnusable(f"the working directory {quoted(workdir)} can't be used: {sentence(error)}")


def _serves(found: Observation, spec: ContainerSpec) -> bool:
    """Whether the container is what `spec` asks for, of the same home."""
    labels = found.labels
    return labels.get(DIGEST) == spec.digest and labels.get(HOME_ID) == spec.labels[HOME_ID]
