"""The passwords of URLs: where they stand, what hides them, and which of them no program reads alike.

A password stands before the last ``@`` of a URL's address, or in its query (``?password=``, ``?sslpassword=``). Other
programs read a part of one that holds ``@`` or ``/`` as a host or a path; here the last ``@`` ends it.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, unquote_plus

MASK = "***"
_CREDENTIALS = re.compile(r"(?P<before>[a-zA-Z][\w+.-]*://(?!/)[^:\s]*):(?P<password>.*)@", re.DOTALL)
_PARAMETER = re.compile(r"[?&](?P<name>[^=&?]+)=(?P<value>[^&]*)")
_SECRET = re.compile(r"passw(or)?d|pwd|passphrase|secret|token", re.IGNORECASE)
_IN_TEXT = re.compile(r"\b[a-zA-Z][\w+.-]*://[^\s'\"]+")
_RAW = re.compile(r"[@/?#\s]|%(?![0-9a-fA-F]{2})")


def password_in(url: str) -> str | None:
    """Return the password before the host as it is written; None if there is none."""
    found = _CREDENTIALS.match(url)
    return found["password"] if found and found["password"] else None


def passwords_in(url: str) -> list[str]:
    """Return every secret of ``url`` as it is written: before the host, and in the query."""
    before, query = password_in(url), [found["value"] for found in _secret_parameters(url) if found["value"]]
    return query if before is None else [before, *query]


def masked(url: str) -> str:
    """Return ``url`` for people: ``***`` stands for each of its secrets."""
    url = _CREDENTIALS.sub(rf"\g<before>:{MASK}@", url, count=1)
    for found in reversed(_secret_parameters(url)):
        url = f"{url[: found.start('value')]}{MASK}{url[found.end('value') :]}"
    return url


def masked_in_text(text: str) -> str:
    """Return ``text`` with each URL in it as ``masked`` writes it; a URL ends at white space or a quotation mark."""
    return _IN_TEXT.sub(lambda found: masked(found[0]), text)


def unescaped(url: str) -> str:
    """Return the first character of the password that must be written as %XX; empty if it is well written."""
    found = _RAW.search(password_in(url) or "")
    return found[0] if found else ""


def without_secrets(url: str) -> tuple[str, dict[str, str]]:
    """Return ``url`` without its secrets, and these by their names in a query, decoded."""
    secrets = {}
    for found in reversed(_secret_parameters(url)):
        secrets[unquote(found["name"])] = unquote_plus(found["value"])
        rest = url[found.end() :]
        url = url[: found.start()] + (f"?{rest[1:]}" if rest and found[0].startswith("?") else rest)
    password = password_in(url)
    if password is not None:
        secrets["password"] = unquote(password)
        url = _CREDENTIALS.sub(r"\g<before>@", url, count=1)
    return url, secrets


def _secret_parameters(url: str) -> list[re.Match[str]]:
    found = _PARAMETER.finditer(url) if "://" in url else ()
    return [parameter for parameter in found if _SECRET.search(unquote(parameter["name"]))]
