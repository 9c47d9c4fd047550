"""A password never leaves the process, in whatever form it is written."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hpo import redaction

CANARY = "c@n/ary:s3same"
PROGRAM = f"""
import logging, sys, threading
from hpo import redaction
from hpo.settings import load_settings

redaction.install()
redaction.install()
load_settings({{"HPO_STORAGE": "postgresql://hpo:{quote(CANARY, safe="")}@db/hpo"}})
password, url = {CANARY!r}, "postgresql://hpo:{quote(CANARY, safe="")}@db/hpo"
logging.basicConfig(level=logging.DEBUG)
foreign = logging.getLogger("foreign")  # a library's own handler that passes nothing on
foreign.propagate = False
foreign.addHandler(logging.StreamHandler(sys.stderr))
for logger in (logging.getLogger("ours"), foreign):
    logger.error("message %s", url)
    logger.error("arguments %(a)s", {{"a": password}})
    logger.error(password)
    try:
        raise ValueError(password) from KeyError(url)
    except ValueError:
        logger.exception("trace")
thread = threading.Thread(target=lambda: (_ for _ in ()).throw(RuntimeError(url)))
thread.start()
thread.join()
raise RuntimeError(password)
"""


def test_no_log_record_trace_or_uncaught_error_shows_a_password() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    for secret in (CANARY, quote(CANARY, safe=""), quote(CANARY), repr(CANARY)[1:-1], "s3same"):
        assert secret not in said
    for told in ("message postgresql://hpo:***@db/hpo", "arguments ***", "ValueError: ***", "RuntimeError: ***"):
        assert told in said
    assert said.count("The above exception was the direct cause") == 2


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=redaction.SHORTEST))
@example("%41%2541")
@example("a:b@c/d")
def test_a_remembered_password_is_hidden_as_text_in_urls_and_in_reprs(password: str) -> None:
    assume("*" not in password)
    redaction.remember(password)
    for written in (password, quote(password, safe=""), repr(password)[1:-1]):
        assert written not in redaction.redact(f"at {written} or")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+psycopg://u:p@h:5432/d failed", "postgresql+psycopg://u:***@h:5432/d failed"),
        ("at 'http://me:x y' no", "at 'http://me:x y' no"),
        ("http://:token@h and http://h:80/", "http://:***@h and http://h:80/"),
        ("two a://u:1@h b://v:2@i", "two a://u:***@h b://v:***@i"),
        ("http://h:5000/#/experiments/1", "http://h:5000/#/experiments/1"),
        ("mail me@host at 12:30", "mail me@host at 12:30"),
    ],
)
def test_a_password_in_a_url_is_hidden_though_nobody_remembered_it(text: str, shown: str) -> None:
    assert redaction.redact(text) == shown


def test_a_log_call_with_wrong_arguments_is_reported_as_logging_does() -> None:
    program = "import logging; from hpo import redaction; redaction.install(); logging.error('%d', 'x'); print('on')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "--- Logging error ---" in done.stderr
    assert done.stdout == "on\n"


def test_a_handler_without_a_formatter_is_safe_too() -> None:
    out = io.StringIO()
    record = redaction._Records(logging.LogRecord)("n", logging.ERROR, "f", 1, "at %s", ("a://u:pass@h",), None)
    logging.StreamHandler(out).emit(record)
    assert out.getvalue() == "at a://u:***@h\n"
