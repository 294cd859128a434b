"""Networks, as tasks ask for them."""

OF_ALL = ("job", "private", "none")
"""What tasks may ask for without being allowed to."""
OF_NOBODY = ("host", "bridge", "default", "container", "nat", "ns")
"""No networks of the engine's, or ones by which a task would reach the host, or other jobs."""


def is_allowable(name: str) -> bool:
    """Whether an operator may allow the engine's network of this name to tasks."""
    return bool(name) and ":" not in name and name.lower() not in (*OF_NOBODY, *OF_ALL)


def check_network(name: str) -> str:
    """`name` itself. Raises ValueError where no operator can allow it."""
    if name not in OF_ALL and not is_allowable(name):
        raise ValueError(f"is not allowed; there are {', '.join(OF_ALL)}, and what the operator lists")
    return name
