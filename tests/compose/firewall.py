"""The kernel's packet filter, as it was before an engine wrote its chains into it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
TABLES = ("nat", "filter")


@contextmanager
def restored() -> Iterator[None]:
    """Remove Docker's rules and chains at the block's end: an engine leaves them when it ends."""
    policy = re.search(r"^:FORWARD (\w+)", _saved("filter"), re.MULTILINE)
    forwarding = FORWARDING.read_text()
    try:
        yield
    finally:
        for table in TABLES:
            _remove_dockers(table)
        if policy is not None:
            _iptables("--policy", "FORWARD", policy[1])
        FORWARDING.write_text(forwarding)


def _remove_dockers(table: str) -> None:
    saved = _saved(table)
    chains = re.findall(r"^:(DOCKER[\w-]*) ", saved, re.MULTILINE)
    for rule in re.findall(r"^-A (.*-j DOCKER.*)$", saved, re.MULTILINE):
        _iptables("--table", table, "--delete", *rule.split())
    for act in ("--flush", "--delete-chain"):
        for chain in chains:
            _iptables("--table", table, act, chain)


def _saved(table: str) -> str:
    if shutil.which("iptables-save") is None:
        return ""
    command = ["iptables-save", "--table", table]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


def _iptables(*words: str) -> None:
    subprocess.run(["iptables", "--wait", *words], capture_output=True, check=False, timeout=60)
