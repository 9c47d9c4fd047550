"""Runs a program under an Optuna with renamed private names, as a new release may rename them.

``python -m tests.study.optuna_internals.renaming NAMES PROGRAM``: NAMES are separated by commas, PROGRAM is Python
code.
"""

from __future__ import annotations

import importlib.machinery
import re
import sys
from typing import Any

from typing_extensions import override

NAMES = sys.argv[1].split(",") if len(sys.argv) > 1 else []
PATTERN = re.compile(rf"\b({'|'.join(map(re.escape, NAMES))})\b")


class Renaming(importlib.machinery.SourceFileLoader):
    """Loader that changes the names everywhere in a source: Optuna itself still works."""

    @override
    def get_code(self, fullname: str) -> Any:
        source = self.get_data(self.get_filename(fullname)).decode()
        return self.source_to_code(PATTERN.sub(r"renamed_\1", source).encode(), self.get_filename(fullname))


class Finder(importlib.machinery.PathFinder):
    """Finder of Optuna's modules for ``Renaming``."""

    @classmethod
    @override
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname.partition(".")[0] != "optuna":
            return None
        spec = super().find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = Renaming(spec.loader.name, spec.loader.path)
        return spec


if __name__ == "__main__":
    sys.meta_path.insert(0, Finder)
    exec(compile(sys.argv[2], "<program>", "exec"), {"__name__": "program"})  # noqa: S102  (the test's own text)
