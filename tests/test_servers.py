"""Error messages for a server that does not start, and for an address that is taken."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hpo.errors import HpoError, UsageError
from hpo.servers import Address, Starting, check_free, tail


def test_an_address_that_is_taken_is_refused_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"127\.0\.0\.1:{port} .*hpo ui --port {port + 1}$"):
            check_free(Address("127.0.0.1", port), "hpo ui --port")
    check_free(Address("127.0.0.1", port), "hpo ui --port")


def test_a_url_puts_an_ipv6_address_in_brackets() -> None:
    assert Address("::1", 80).url == "http://[::1]:80"
    assert Address("node", 80).url == "http://node:80"


def test_a_server_that_ends_or_never_answers_is_an_error_that_quotes_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(f"line {number}" for number in range(40)))
    assert tail(log).splitlines() == [f"line {number}" for number in range(25, 40)]
    ended = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    ended.wait()
    with pytest.raises(HpoError, match=r"^It ended at once \(code 3\):\nline 25\n"):
        Starting(ended, "It", "on port 1", log).wait(lambda: False, 60)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as silent:
        starting = Starting(silent, "It", "on port 1", log)
        with pytest.raises(HpoError, match=r"^It does not answer on port 1 after 0 s:\nline 25\n"):
            starting.wait(lambda: False, 0)
        starting.wait(lambda: True, 60)
        silent.communicate(b"\n")
