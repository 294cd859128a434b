"""An untrusted task (T) looks for other jobs, for services of the host, and for what clouds tell machines.

Before any task may join it, the network of a job is shut from inside by the container that holds it: by
packet rules in a namespace where no task has a capability. Nothing goes out to those addresses by any kind of
socket, and nothing comes in that was not asked for. A neighbour without a guard shows that the attack works.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from manager.engine.connect import connect
from manager.engine.contract import EngineError
from manager.engine.host_network import HostNetwork
from manager.model import containers
from manager.model.container_spec import JOB_UID, ROLE, ContainerSpec, Network
from manager.model.home import Home
from manager.model.values import Guard
from manager.settings import Settings
from tests import engine_room
from tests.contract.bench import Bench

VICTIM, ATTACKER = "a" * 32, "b" * 32
PORT = 9999
ELSEWHERE = "203.0.113.7"
"""An address of nobody's (RFC 5737)."""

LISTEN = f"""
import select, socket
tcp, udp = socket.create_server(("0.0.0.0", {PORT})), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("0.0.0.0", {PORT}))
print("listening", flush=True)
while True:
    for ready in select.select([tcp, udp], [], [])[0]:
        if ready is udp:
            print("heard", udp.recvfrom(99), flush=True)
        else:
            connection, whom = ready.accept()
            print("heard", whom, flush=True)
            connection.sendall(b"secret")
            connection.close()
"""

ATTACK = """
import json, socket, struct, sys
addresses, port = json.loads(sys.argv[1]), int(sys.argv[2])
eth0 = socket.if_nametoindex("eth0")
def plain(s): pass
def bound(s): s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
def on_link(s): s.setsockopt(socket.SOL_SOCKET, 5, 1)  # SO_DONTROUTE
def by_index(s): s.setsockopt(socket.IPPROTO_IP, 50, struct.pack("!I", eth0))  # IP_UNICAST_IF
def freely(s): s.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND
def made(kind, how, family=socket.AF_INET):
    s = socket.socket(family, kind)
    s.settimeout(0.5)
    how(s)
    return s
def connect(address, how):
    made(socket.SOCK_STREAM, how).connect((address, port))
def fast_open(address, how):
    made(socket.SOCK_STREAM, how).sendto(b"x", 0x20000000, (address, port))
def datagram(address, how):
    s = made(socket.SOCK_DGRAM, how)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.sendto(b"x", (address, port))
def with_information(address, how):
    s = made(socket.SOCK_DGRAM, how)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.sendmsg([b"x"], [(0, 8, struct.pack("=I8x", eth0))], 0, (address, port))  # IP_PKTINFO
def mapped(address, how):
    made(socket.SOCK_DGRAM, plain, socket.AF_INET6).sendto(b"x", ("::ffff:" + address, port))
def ping(address, how):
    made(socket.SOCK_DGRAM, how).close()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    how(s)
    s.sendto(b"\\x08" + bytes(15), (address, 0))
went = []
for address in addresses:
    for attempt in (connect, fast_open, datagram, with_information, mapped, ping):
        for how in (plain, bound, on_link, by_index, freely):
            try:
                attempt(address, how)
                went.append([address, attempt.__name__, how.__name__])
            except OSError:
                pass
for scope in ("ff02::1", "fe80::1"):
    try:
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        s.sendto(b"x", (scope, port, 0, eth0))
        went.append([scope])
    except OSError:
        pass
print(json.dumps(went))
"""

SEND = """
import socket, sys
for address in sys.argv[1:]:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (address, 9))
        print(address, "went")
    except PermissionError:
        print(address, "refused")
"""


@dataclass
class Site:
    """A real engine, and what a manager knows of its host."""

    bench: Bench
    network: HostNetwork
    client: Any

    def holder(self, uid: str) -> ContainerSpec:
        return self.network.guarded(self.bench.network(uid))

    def run(self, uid: str, script: str, *words: str) -> str:
        """The id of a task of the job `uid` that runs `script`."""
        holder = self.holder(uid)
        spec = self.bench.spec(("python3", "-uc", script, *words), network=Network("job", holder.name))
        spec = replace(spec, labels=spec.labels | {JOB_UID: uid})
        return self.bench.engine.start(self.bench.engine.create(spec, holder)).id

    def said(self, uid: str, script: str, *words: str) -> str:
        return self.bench.output(self.run(uid, script, *words)).decode()

    def all_said(self, task: str) -> str:
        """By one that is ended for that."""
        self.bench.engine.signal(task, "SIGKILL")
        return self.bench.output(task).decode()

    def addresses(self, uid: str) -> tuple[str, str]:
        """The job's own on its bridge, and the host's there."""
        found = self.client.api.inspect_container(self.holder(uid).name)
        bridge = found["NetworkSettings"]["Networks"]["bridge"]
        return bridge["IPAddress"], bridge["Gateway"]


@pytest.fixture(scope="module")
def client() -> Any:
    return engine_room.client()


@pytest.fixture
def site_with(tmp_path: Path, client: Any, on_failure: Callable[..., None]) -> Iterator[Callable[..., Site]]:
    home = Home(engine_room.fresh_home_id(), tmp_path)

    def make(**rules: Any) -> Site:
        settings = Settings(home=tmp_path, memory_mb=64, pids=64, tmp_mb=4, log_mb=4, pull=False, **rules)
        bench = Bench(connect(settings), home, tmp_path / "job", settings)
        bench.prepare()
        network = HostNetwork(bench.engine, home, settings)
        network.look()
        assert network.problem is None
        return Site(bench, network, client)

    on_failure("containers", lambda: engine_room.testimony(client, home.id))
    yield make
    engine_room.sweep(client, home.id)


@pytest.fixture
def host_service() -> Iterator[tuple[int, list[str]]]:
    """A service on all addresses of the host: its port, and who came."""
    came: list[str] = []
    with socket.create_server(("0.0.0.0", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, (whom, _) = server.accept()
                    came.append(whom)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)


def test_no_kind_of_socket_reaches_another_job_the_host_or_link_local_addresses(
    site_with: Callable[..., Site], host_service: tuple[int, list[str]]
) -> None:
    site = site_with()
    port, came = host_service
    listener = site.run(VICTIM, LISTEN)
    site.bench.until_it_says(listener, b"listening")
    victim, gateway = site.addresses(VICTIM)
    hosts = [each for each in site.network.addresses if ":" not in each]
    assert gateway in hosts
    everybody = ["255.255.255.255", "224.0.0.1", victim.rsplit(".", 2)[0] + ".255.255"]
    for target, on in (("the host", port), ("the other job", PORT)):
        goals = [*hosts, "169.254.169.254", "100.100.100.200"] if on == port else [victim, *everybody]
        assert json.loads(site.said(ATTACKER, ATTACK, json.dumps(goals), str(on))) == [], target
    assert came == []
    neighbour = ("python3", "-uc", ATTACK, json.dumps([gateway]), str(port))
    went = json.loads(site.bench.output(site.bench.run(neighbour, network=Network("private")).id))
    assert [gateway, "connect", "bound"] in went, "the attack itself works where nobody guards"
    assert came != []
    assert site.all_said(listener) == "listening\n"


def test_nothing_comes_into_a_jobs_network_that_it_has_not_asked_for(
    site_with: Callable[..., Site],
) -> None:
    site = site_with()
    listener = site.run(VICTIM, LISTEN)
    site.bench.until_it_says(listener, b"listening")
    victim, _ = site.addresses(VICTIM)
    with pytest.raises(OSError):
        socket.create_connection((victim, PORT), 0.5)
    attack = ("python3", "-uc", ATTACK, json.dumps([victim]), str(PORT))
    neighbour = site.bench.run(attack, network=Network("private"))
    went = json.loads(site.bench.output(neighbour.id))
    assert not [each for each in went if each[1] == "connect"]
    assert site.all_said(listener) == "listening\n"


def test_tasks_of_a_job_share_localhost_and_their_own_address(site_with: Callable[..., Site]) -> None:
    site = site_with(egress="none")
    site.bench.until_it_says(site.run(VICTIM, LISTEN), b"listening")
    ask = "import socket, sys\nfor a in sys.argv[1:]: print(socket.create_connection((a, 9999), 5).recv(9))"
    address, _ = site.addresses(VICTIM)
    assert site.said(VICTIM, ask, "127.0.0.1", address) == "b'secret'\n" * 2


@pytest.mark.parametrize(
    ("rules", "elsewhere", "listed"),
    [
        ({}, "went", "went"),
        ({"egress": "none"}, "refused", "refused"),
        ({"egress": ["192.0.0.0/29"]}, "refused", "went"),
        ({"unreachable": [ELSEWHERE]}, "refused", "went"),
        ({"unreachable": ["0.0.0.0/0"], "reachable": [ELSEWHERE]}, "went", "refused"),
    ],
    ids=str,
)
def test_egress_is_what_the_operator_says(
    site_with: Callable[..., Site], rules: dict[str, Any], elsewhere: str, listed: str
) -> None:
    said = site_with(**rules).said(VICTIM, SEND, ELSEWHERE, "192.0.0.4")
    assert said == f"{ELSEWHERE} {elsewhere}\n192.0.0.4 {listed}\n"


def test_what_holds_the_network_has_laid_down_every_power(site_with: Callable[..., Site]) -> None:
    site = site_with()
    site.run(VICTIM, "")
    process = site.client.api.inspect_container(site.holder(VICTIM).name)["State"]["Pid"]
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    assert status["Uid"].split() == [str(site.bench.settings.task_uid)] * 4
    assert [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [0] * 4
    assert status["NoNewPrivs"] == "1"


def test_a_network_that_can_not_be_shut_is_joined_by_nobody(site_with: Callable[..., Site]) -> None:
    site = site_with()
    bench = site.bench
    holder = containers.guarded(bench.network(VICTIM), Guard(("+nonsense",), "x"), bench.settings)
    spec = bench.spec(network=Network("job", holder.name))
    with pytest.raises(EngineError, match=r"can't be shut: netguard: no rule: \+nonsense"):
        bench.engine.create(spec, holder)
    assert bench.engine.containers(bench.home.id) == []


def test_a_network_made_by_other_settings_is_joined_only_while_tasks_run_in_it(
    site_with: Callable[..., Site],
) -> None:
    site = site_with()
    task = site.run(VICTIM, LISTEN)
    first = site.bench.engine.observe(site.holder(VICTIM).name).id
    for number, what_runs_goes in ((10, False), (20, True)):
        if what_runs_goes:
            site.bench.engine.remove(task, site.bench.home.id)
        later = site_with(egress="none")
        later.bench.numbers = number
        went = "refused" if what_runs_goes else "went"
        assert later.said(VICTIM, SEND, ELSEWHERE) == f"{ELSEWHERE} {went}\n"
        assert (later.bench.engine.observe(site.holder(VICTIM).name).id != first) is what_runs_goes
        for each in later.bench.engine.containers(later.bench.home.id):
            if each.labels[ROLE] == "task" and each.id != task:
                later.bench.engine.remove(each.id, later.bench.home.id)
