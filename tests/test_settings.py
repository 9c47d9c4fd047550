from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from hpo import urls
from hpo.errors import UsageError
from hpo.settings import (
    adopt,
    adopt_file,
    load_settings,
    read_env_file,
    sqlite_path,
    storage_urls_now,
    use_storage,
)
from hpo.study.database.storage import shown


def private(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "hpo.env"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_an_env_file_is_lines_of_name_and_value(tmp_path: Path) -> None:
    text = "# comment\n\nHPO_STORAGE=postgresql://u:p=w#d@h/d\nexport HPO_HOME = '/a b'\nA=\"x\"\nB=\n"
    assert read_env_file(private(tmp_path, text)) == {
        "HPO_STORAGE": "postgresql://u:p=w#d@h/d",
        "HPO_HOME": "/a b",
        "A": "x",
        "B": "",
    }


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_an_env_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path, "A=1\n", mode)
    with pytest.raises(UsageError, match=f"chmod 600 {path}"):
        read_env_file(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_an_env_file_of_its_owner_alone_is_read(tmp_path: Path, mode: int) -> None:
    assert read_env_file(private(tmp_path, "A=1\n", mode)) == {"A": "1"}


def test_a_line_that_is_none_is_named_but_not_shown(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"hpo\.env:2: is not NAME=value") as caught:
        read_env_file(private(tmp_path, "A=1\nsesame opens\n"))
    assert "sesame" not in str(caught.value)


def test_a_misspelt_variable_of_ours_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="HPO_STORGE: nothing reads it; meant HPO_STORAGE"):
        read_env_file(private(tmp_path, "HPO_STORGE=x\n"))


def test_a_missing_env_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_env_file(tmp_path / "none")


def test_a_file_wins_over_the_environment_and_its_secrets_leave_no_second_source() -> None:
    env = {"HPO_STORAGE": "sqlite:///old.db", "HPO_STORAGE_PASSWORD_FILE": "/old", "MLFLOW_TRACKING_URI": "http://kept"}
    adopt({"HPO_STORAGE_FILE": "/new"}, env)
    assert env == {"HPO_STORAGE_FILE": "/new", "MLFLOW_TRACKING_URI": "http://kept"}
    adopt({"HPO_STORAGE": "postgresql://u@h/d", "HPO_STORAGE_PASSWORD_FILE": "/pw"}, env)
    use_storage("postgresql://v@i/e", env)
    assert env["HPO_STORAGE"] == "postgresql://v@i/e"
    assert env["HPO_STORAGE_PASSWORD_FILE"] == "/pw"  # noqa: S105  a path


def test_a_password_file_completes_the_url_with_every_character_escaped(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("a:b@c/d e%\n")
    env = {"HPO_STORAGE": "postgresql://u@h:1/d?x=1", "HPO_STORAGE_PASSWORD_FILE": str(tmp_path / "pw")}
    assert load_settings(env).storage_url == "postgresql://u:a%3Ab%40c%2Fd%20e%25@h:1/d?x=1"
    from sqlalchemy import make_url

    assert make_url(load_settings(env).storage_url).password == "a:b@c/d e%"  # noqa: S105


def test_a_url_can_come_from_a_file_and_mlflows_password_too(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://u:p@h/d\n")
    (tmp_path / "pw").write_text("token\n")
    env = {"HPO_STORAGE_FILE": str(tmp_path / "url"), "MLFLOW_TRACKING_PASSWORD_FILE": str(tmp_path / "pw")}
    assert load_settings(env).storage_url == "postgresql://u:p@h/d"
    assert env["MLFLOW_TRACKING_PASSWORD"] == "token"  # noqa: S105  there MLflow's client looks
    assert load_settings(env).storage_url == "postgresql://u:p@h/d"


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"HPO_STORAGE": "x", "HPO_STORAGE_FILE": "y"}, "both set"),
        ({"HPO_STORAGE_FILE": "/no/such"}, "HPO_STORAGE_FILE=/no/such: No such file"),
        ({"HPO_STORAGE": "postgresql://u:canary@h/d", "HPO_STORAGE_PASSWORD": "x"}, "leave one out"),
        ({"HPO_STORAGE": "postgresql://h/d", "HPO_STORAGE_PASSWORD": "x"}, "with a user"),
        ({"HPO_STORAGE_PASSWORD": "x"}, "with a user"),
    ],
)
def test_contradictions_are_errors_that_show_no_secret(env: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        load_settings(env)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["HPO_STORAGE", "MLFLOW_TRACKING_URI"])
@pytest.mark.parametrize("sign", ["@", "/", "#", "?", " ", "%zz"])
def test_a_password_that_is_not_escaped_is_refused_with_the_way_out_and_no_piece_of_it(name: str, sign: str) -> None:
    with pytest.raises(UsageError, match=r"write %.*PASSWORD_FILE") as caught:
        load_settings({name: f"postgresql://team:first{sign}Second@127.0.0.1:9/d"})
    assert "first" not in str(caught.value)
    assert "Second" not in str(caught.value)


@pytest.mark.parametrize("named", ["env-file", "password-file", "url-file"])
def test_the_url_of_now_has_the_password_that_its_file_has_now(tmp_path: Path, named: str) -> None:
    file, env = tmp_path / "secret", {"HPO_HOME": str(tmp_path)}
    text = {"env-file": "HPO_STORAGE=postgresql://u:{}@h/d", "password-file": "{}", "url-file": "postgresql://u:{}@h/d"}

    def write(password: str) -> None:
        file.write_text(text[named].format(password))
        file.chmod(0o600)

    write("old")
    if named == "env-file":
        adopt_file(file, env)
    elif named == "url-file":
        env["HPO_STORAGE_FILE"] = str(file)
    else:
        env |= {"HPO_STORAGE": "postgresql://u@h/d", "HPO_STORAGE_PASSWORD_FILE": str(file)}
    assert urls.password_in(load_settings(env).storage_url) == "old"
    write("new")
    assert urls.password_in(next(storage_urls_now(env))) == "new"
    file.unlink()
    assert "new" not in "".join(storage_urls_now(env))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_every_scheme_of_postgresql_means_the_driver_that_we_have(tmp_path: Path, scheme: str) -> None:
    file = private(
        tmp_path, f"HPO_STORAGE={scheme}://u@h/hpo?sslmode=require\nMLFLOW_TRACKING_URI={scheme}://u@h/mlflow\n"
    )
    env: dict[str, str] = {}
    adopt(read_env_file(file), env)
    settings = load_settings(env)
    assert shown(settings.storage_url) == "postgresql+psycopg://u@h/hpo?sslmode=require"
    assert settings.tracking_uri == "postgresql+psycopg://u@h/mlflow"


@pytest.mark.parametrize(
    "name", ["run%41s", "a%2Fb", "what?x", "a#b", "two words", "it's", '"q"', "{x}", "+", "a@b:c", "ü"]
)
def test_a_home_may_have_any_name(tmp_path: Path, name: str) -> None:
    settings = load_settings({"HPO_HOME": str(tmp_path / name)})
    for url, file in ((settings.storage_url, "hpo.db"), (settings.tracking_uri, "mlflow.db")):
        path = tmp_path / name / file
        assert make_url(url).database == str(path)
        assert url == URL.create("sqlite", database=str(path)).render_as_string()
        assert sqlite_path(url) == path


@pytest.mark.parametrize("name", ["HPO_STORAGE", "MLFLOW_TRACKING_URI"])
@pytest.mark.parametrize("url", ["postgresql://u@h/d?options=%00", "postgresql://u:p%00@h/d", "sqlite:///a%00b"])
def test_a_character_that_no_server_takes_is_refused(name: str, url: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: holds the character %00"):
        load_settings({name: url})


def test_a_secret_is_no_device_without_end() -> None:
    with pytest.raises(UsageError, match="HPO_STORAGE_PASSWORD_FILE=/dev/zero: is larger than"):
        load_settings({"HPO_STORAGE": "postgresql://u@h/d", "HPO_STORAGE_PASSWORD_FILE": "/dev/zero"})


def test_a_secret_may_come_through_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("sesame\n",))
    writer.start()
    settings = load_settings({"HPO_STORAGE": "postgresql://u@h/d", "HPO_STORAGE_PASSWORD_FILE": str(tmp_path / "pipe")})
    writer.join()
    assert settings.storage_url == "postgresql://u:sesame@h/d"
