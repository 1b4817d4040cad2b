from __future__ import annotations

from pathlib import Path

import pytest

from argo_ml.addresses import Address, redacted, redacted_value, shown, without
from argo_ml.config import ExperimentSpec, StudySpec, build
from argo_ml.errors import ConfigError
from argo_ml.models.server.keys import api_key, key_advice


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://host/models/v1", "https://host/models"),
        ("http://[::1]:8000/v1", "http://[::1]:8000"),
    ],
)
def test_the_root_is_the_url_without_its_version(url: str, root: str) -> None:
    assert Address.parse(url).root == root


def test_user_and_password_stand_apart_and_are_not_shown() -> None:
    address = Address.parse("http://me:p%40ss@host:8000/v1")

    assert (address.root, address.user, address.password) == ("http://host:8000", "me", "p@ss")
    assert "ss" not in repr(address).replace("Address", "") + str(address)


@pytest.mark.parametrize(
    ("urls", "complaint"),
    [
        ("", "model=server:tiny needs server_urls=http://127.0.0.1:8000/v1"),
        ("host:8000", "host:8000 is no address such as"),
        ("ftp://host/v1", "ftp://host/v1 is no address such as"),
        ("http://host:99999/v1", "is no address such as"),
        ("http://host/v1?key=s3cret", "http://host/v1 takes nothing after its path; put a key"),
        ("https://host/openai?api-version=1", "that ends in /openai/v1, without api-version"),
        ("http://host/v1,http://host", "names http://host twice"),
    ],
)
def test_bad_addresses_are_one_line(urls: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(ExperimentSpec, {"model": "server:tiny", "server_urls": urls})
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_address_in_the_place_of_a_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="the address goes into server_urls"):
        build(ExperimentSpec, {"model": "server:http://host/v1"})


@pytest.mark.parametrize(
    "url",
    [
        "http://me:s3cret@host/v1",
        "me:s3cret@host",
        "http://me:s3cret#x@host",
        "http://me:s3cret?x@host",
        "http://host/v1?key=s3cret",
        "http://me:s3cret@host:99999/v1",
        "http://me:x://s3cret@host",
    ],
)
def test_no_spelling_of_a_url_shows_its_secret(url: str) -> None:
    assert "s3cret" not in shown(url)
    with pytest.raises(ConfigError) as caught:
        build(ExperimentSpec, {"model": "server:tiny", "server_urls": ["http://host:x", url]})
    assert "s3cret" not in str(caught.value)


def test_the_first_variable_that_is_set_has_the_key() -> None:
    openai, gateway = (
        Address.parse("https://api.openai.com/v1"),
        Address.parse("https://gateway/v1"),
    )
    assert api_key(openai, {}) == ""
    assert api_key(openai, {"ARGO_ML_API_KEY": " ", "OPENAI_API_KEY": "b"}) == "b"
    assert api_key(openai, {"ARGO_ML_API_KEY": "a\n", "OPENAI_API_KEY": "b"}) == "a"
    assert api_key(gateway, {"ARGO_ML_API_KEY": "a", "OPENAI_API_KEY": "b"}) == "a"
    assert api_key(gateway, {"OPENAI_API_KEY": "b"}) == ""


def test_a_key_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k3y-of-the-file\n")
    named = {"ARGO_ML_API_KEY_FILE": str(file), "OPENAI_API_KEY": "b"}
    openai = Address.parse("https://api.openai.com/v1")
    assert api_key(openai, named) == "k3y-of-the-file"
    assert api_key(openai, {**named, "ARGO_ML_API_KEY": "a"}) == "a"
    assert redacted("wrong key k3y-of-the-file") == "wrong key ***"

    file.unlink()
    with pytest.raises(
        ConfigError, match=r"ARGO_ML_API_KEY_FILE=.*: cannot be read \(No such file"
    ):
        api_key(openai, named)


def test_a_refused_key_is_to_be_corrected_where_it_came_from() -> None:
    named = {"ARGO_ML_API_KEY_FILE": "/key"}
    in_file = "put a key that it takes into the file that ARGO_ML_API_KEY_FILE names"
    assert key_advice(named) == in_file
    for environment in ({}, {**named, "ARGO_ML_API_KEY": "a"}):
        assert key_advice(environment) == "set ARGO_ML_API_KEY to a key that it takes"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost"])
def test_a_key_may_go_over_plain_http_within_the_machine(url: str) -> None:
    assert api_key(Address.parse(url), {"ARGO_ML_API_KEY": "a"}) == "a"


@pytest.mark.parametrize("url", ["http://gpu-box:8000", "http://10.0.0.7", "http://localhost.de"])
def test_no_key_goes_over_plain_http_to_another_machine(url: str) -> None:
    address = Address.parse(url)
    with pytest.raises(ConfigError, match=r"ARGO_ML_API_KEY over plain http.*use https"):
        api_key(address, {"ARGO_ML_API_KEY": "a"})
    assert api_key(address, {}) == ""


@pytest.mark.parametrize("key", ["s3c ret", "s3c\nret", "schlüssel"])
def test_a_key_that_no_header_takes_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigError, match="ARGO_ML_API_KEY holds white space") as caught:
        api_key(Address.parse("https://gateway"), {"ARGO_ML_API_KEY": key})
    assert key not in str(caught.value)


@pytest.mark.parametrize("user", ["me:s3cret", "s3cret"])
def test_a_password_is_not_sent_where_all_can_read_it(user: str) -> None:
    with pytest.raises(ConfigError, match="http://host would get its user and password") as caught:
        api_key(Address.parse(f"http://{user}@host/v1"), {})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("place", ["https://me:s3cret@host", "http://me:s3cret@127.0.0.1:8000"])
def test_no_key_goes_where_a_password_does(place: str) -> None:
    assert api_key(Address.parse(place), {"ARGO_ML_API_KEY": "a"}) == ""


def test_secrets_are_taken_out_of_what_a_server_says() -> None:
    assert without("wrong key k3y, not k3y", ("k3y", "")) == "wrong key ***, not ***"


@pytest.mark.parametrize(
    ("text", "shown_text"),
    [
        ("http://me:s3cret@host/x", "http://me:PASSWORD@host/x"),
        ("https://s3cret-token@host", "https://PASSWORD@host"),
        ("at http://me:s3cr/et#?:@@host, twice", "at http://me:PASSWORD@host, twice"),
        ("https:/me:s3cret@host/documents", "https:/me:PASSWORD@host/documents"),
        ("postgresql+psycopg://me:s3cret@h/d", "postgresql+psycopg://me:PASSWORD@h/d"),
        ("postgresql://postgres@h/d", "postgresql://postgres@h/d"),
        ("git+https://s3cret-token@host", "git+https://PASSWORD@host"),
        ("postgresql://h/d?user=me&password=s3cret", "postgresql://h/d?user=me&password=PASSWORD"),
        ("{'Authorization': 'Basic czNjcmV0'}", "{'Authorization': 'Basic PASSWORD'}"),
        ("authorization: bearer s3cret", "authorization: bearer PASSWORD"),
        ("sqlite:////home/me@corp/mlflow.db", "sqlite:////home/me@corp/mlflow.db"),
        ("mail me@corp: a basic question", "mail me@corp: a basic question"),
    ],
)
def test_text_is_shown_without_its_passwords(text: str, shown_text: str) -> None:
    assert redacted(text) == shown_text


def test_a_password_of_a_parameter_is_known_in_every_spelling() -> None:
    build(ExperimentSpec, {"chroma_url": "http://me:pl%40in-text@host"})
    said = "pl@in-text, pl%40in-text and bWU6cGxAaW4tdGV4dA== were wrong"
    assert redacted(said) == "***, *** and *** were wrong"


def test_the_user_of_a_database_is_no_password() -> None:
    build(StudySpec, {"storage": "postgresql://postgres@127.0.0.1/postgres"})
    assert redacted("postgresql is down") == "postgresql is down"


def test_keys_of_the_environment_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "k-0123456")
    assert redacted("wrong key k-0123456") == "wrong key ***"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("http://ollama:11434/v1", "http://ollama:11434/v1"),
        ("http://me:ollama@host/ollama", "http://me:PASSWORD@host/ollama"),
        ("/srv/k-0123456789", "/srv/***"),
    ],
)
def test_a_value_that_is_read_back_is_whole_but_for_what_no_word_is(
    value: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "ollama")
    monkeypatch.setenv("ARGO_ML_API_KEY", "k-0123456789")
    assert redacted_value(value) == kept


def test_an_error_names_no_password() -> None:
    assert str(ConfigError("http://me:s3cret@host is gone")) == "http://me:PASSWORD@host is gone"
