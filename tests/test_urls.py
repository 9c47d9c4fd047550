"""The passwords of URLs, wherever they stand and however badly they are written."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo import urls


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("postgresql://u:p@h/d", "p"),
        ("postgresql://u@h/d", None),
        ("postgresql://h:5432/d", None),
        ("postgresql+psycopg://u:p%40@h/d", "p%40"),
        ("postgresql://u:a/b@h/d", "a/b"),
        ("postgresql://u:a@b#c?d e@h/d", "a@b#c?d e"),
        ("postgresql://me@team:p@h/d", "p"),
        ("postgresql://team/me:p@h/d", "p"),
        ("http://:token@h", "token"),
        ("sqlite:////a/b:c@d.db", None),
        ("", None),
    ],
)
def test_the_password_of_a_url_is_found(url: str, password: str | None) -> None:
    assert urls.password_in(url) == password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u@h/d?password=s&sslmode=require", "postgresql://u@h/d?password=***&sslmode=require"),
        ("postgresql://u@h/d?a=b&sslpassword=s#t&c=d", "postgresql://u@h/d?a=b&sslpassword=***&c=d"),
        ("postgresql://u:s@h/d?PassWord=s", "postgresql://u:***@h/d?PassWord=***"),
        ("postgresql://u@h/d?pass%77ord=s", "postgresql://u@h/d?pass%77ord=***"),
        ("http://h/x?access_token=s&passfile=/f", "http://h/x?access_token=***&passfile=/f"),
        ("http://h:5000/#/experiments/1", "http://h:5000/#/experiments/1"),
        ("sqlite:////a/b:c@d.db", "sqlite:////a/b:c@d.db"),
    ],
)
def test_secrets_of_the_query_are_masked_like_those_before_the_host(url: str, shown: str) -> None:
    assert urls.masked(url) == shown
    assert urls.masked_in_text(f"at '{url}': {url} no") == f"at '{shown}': {shown} no"


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from(["u:{}@h/d", "u@h/d?password={}"])
)
def test_no_piece_of_a_password_is_left_escaped_or_not(password: str, form: str) -> None:
    for written in (password.replace("&", ""), quote(password, safe="")):
        if written:
            place = form.format("***")
            assert urls.masked(f"postgresql://{form.format(written)}") == f"postgresql://{place}"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_url_loses_its_secrets_and_they_are_decoded(password: str) -> None:
    written = quote(password, safe="")
    before = ("postgresql://u@h/d", {"password": password})
    assert urls.without_secrets(f"postgresql://u:{written}@h/d") == before
    assert urls.without_secrets(f"postgresql://u@h/d?password={written}") == before
    first = urls.without_secrets(f"postgresql://u@h/d?sslpassword={written}&a=b")
    assert first == ("postgresql://u@h/d?a=b", {"sslpassword": password})
    assert urls.unescaped(f"postgresql://u:{written}@h/d") == ""
