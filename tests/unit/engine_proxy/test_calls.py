"""Which calls are recognised, and what is forwarded of them."""

import pytest

from engine_proxy.calls import About, recognised
from engine_proxy.refusal import Refused


def test_a_call_is_put_together_anew_with_the_name_that_was_looked_up() -> None:
    call = recognised("POST", "/v1.41/containers/airx-a/start", {})
    assert (call.about, call.name) == (About.CONTAINER, "airx-a")
    assert call.path("0123") == "/v1.41/containers/0123/start"


def test_the_version_may_be_left_out() -> None:
    assert recognised("GET", "/version", {}).path("") == "/version"


def test_an_image_has_slashes_and_a_digest() -> None:
    name = "registry.example:5000/team/tool@sha256:" + "0" * 64
    assert recognised("GET", f"/v1.41/images/{name}/json", {}).name == name


@pytest.mark.parametrize(
    "path",
    [
        "/containers/../images/json",
        "/v1.41/images/../info/json",
        "/images/a//b/json",
        "/v1.41/../version",
        "/containers//json",
        "/containers/a/b/json",
        "/containers/a\n/json",
        "/volumes",
    ],
)
def test_no_path_leads_elsewhere(path: str) -> None:
    with pytest.raises(Refused, match="is no call that the manager makes"):
        recognised("GET", path, {})


def test_another_method_is_another_call() -> None:
    with pytest.raises(Refused):
        recognised("PUT", "/containers/a/archive", {"path": "/"})


def test_what_the_manager_never_says_is_refused() -> None:
    with pytest.raises(Refused, match="fromSrc"):
        recognised("POST", "/images/create", {"fromImage": "a", "fromSrc": "-"})
