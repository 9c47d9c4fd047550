"""``import hpo`` costs nothing until a name is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hpo


def said(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_import_hpo_loads_no_other_module_of_its_own_or_of_others() -> None:
    program = (
        "import sys, importlib, typing\nbefore = set(sys.modules)\nimport hpo\nprint(sorted(set(sys.modules) - before))"
    )
    assert said(program) == "['hpo']"


def test_a_public_name_loads_nothing_heavy_before_it_is_called() -> None:
    program = (
        "import sys\n"
        "import hpo\n"
        "[getattr(hpo, name) for name in hpo.__all__]\n"
        "heavy = {'torch', 'mlflow', 'ultralytics', 'optuna', 'sqlalchemy', 'pandas', 'IPython', 'click', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert said(program) == "[]"


def test_every_public_name_is_there_and_documented() -> None:
    for name in hpo.__all__:
        assert getattr(hpo, name) is not None
        assert name == "__version__" or getattr(hpo, name).__doc__, name
    assert dir(hpo) == sorted(hpo.__all__)


def test_the_errors_are_those_of_hpo_errors() -> None:
    import hpo.errors

    assert hpo.SpecError is hpo.errors.SpecError
    found = {
        name for name, value in vars(hpo.errors).items() if isinstance(value, type) and value.__module__ == "hpo.errors"
    }
    assert found <= set(hpo.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rnu'"):
        hpo.rnu  # noqa: B018
