"""The operator's rules as the manager tells them to whoever may read its home folder."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from air_executor.policy.rules import Policy

SCHEMA = 1
"""Grows when an older reader would take the rules for others than they are; a new rule is no such change."""


class Published(BaseModel):
    """What stands in the file."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: int = Field(SCHEMA, alias="schema", le=SCHEMA)
    policy: Policy


def published_text(settings: Policy) -> str:
    """The file's text: of the settings no more than what a `Policy` has."""
    rules = Policy.model_validate(settings.model_dump(include=set(Policy.model_fields)))
    return Published(policy=rules).model_dump_json(indent=2, by_alias=True) + "\n"


def read_published(text: bytes) -> Policy | None:
    """The rules; None where this is not the text of any that can be understood here."""
    try:
        return Published.model_validate_json(text).policy
    except ValidationError:
        return None
