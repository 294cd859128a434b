"""PURE. What a container knows of hosts: its own name, addresses of others, and whom it asks for more."""

from collections.abc import Iterator
from dataclasses import dataclass

from air_executor.format.attempts import GrantedNames

HOSTS = "/etc/hosts"
RESOLVER = "/etc/resolv.conf"


@dataclass(frozen=True, slots=True)
class HostNames:
    """Beside what every container knows, or in its place."""

    hosts: tuple[tuple[str, str], ...] = ()
    """Names, and their addresses."""
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    hostname: str = ""

    @classmethod
    def of(cls, granted: GrantedNames) -> "HostNames":
        """Those of a grant."""
        return cls(
            hosts=tuple(granted.hosts.items()),
            dns=granted.dns,
            dns_search=granted.dns_search,
            hostname=granted.hostname or "",
        )

    @property
    def files(self) -> Iterator[str]:
        """Where a container has files that say something else than usual."""
        if self.hosts:
            yield HOSTS
        if self.dns or self.dns_search:
            yield RESOLVER

    def written(self, path: str, usual: str) -> str:
        """The file at `path`, which else would say what is `usual`: that stays, but for what is replaced."""
        return self._hosts(usual) if path == HOSTS else self._resolver(usual)

    def _hosts(self, usual: str) -> str:
        added = "".join(f"{address}\t{name}\n" for name, address in self.hosts)
        return f"{_ended(usual)}{added}"

    def _resolver(self, usual: str) -> str:
        replaced = {"nameserver"} if self.dns else set()
        replaced |= {"search", "domain"} if self.dns_search else set()
        kept = [line for line in usual.splitlines() if not replaced.intersection(line.split()[:1])]
        servers = [f"nameserver {address}" for address in self.dns]
        search = [f"search {' '.join(self.dns_search)}"] if self.dns_search else []
        return "".join(f"{line}\n" for line in (*kept, *servers, *search))


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
