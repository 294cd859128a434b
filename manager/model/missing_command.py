"""PURE. What to do about a command that is not there."""

from air_executor.errors import quoted


def told(command: str, where: str) -> str:
    """That there is no such command. `where` it is not, follows."""
    advice = '; arguments go into `args`, and what a shell is to read behind `"entrypoint": ["sh", "-c"]`'
    return f"there is no command {quoted(command)}{where}{advice if len(command.split()) > 1 else ''}"
