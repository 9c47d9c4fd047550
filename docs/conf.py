"""Sphinx: these pages as HTML, with the API reference from the docstrings. ``make docs`` builds them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["NUMBA_DISABLE_JIT"] = "1"  # compiled functions show their signatures and docstrings as plain ones do

import hpo  # noqa: E402  (after the path to it)

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "hpo"
author = "the authors of hpo"
copyright = author  # noqa: A001  (Sphinx' own name for it)
version = release = hpo.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["_build"]
if not hasattr(hpo, "run"):
    exclude_patterns.append("api/study.md")

# A link that leads nowhere is a warning, and `make docs` makes errors of warnings.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!hpo\.).*"),  # names of other projects: their pages are not read here
    (r"py:class", r"hpo\..*"),  # types in signatures that are not public
]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "show-inheritance": False, "undoc-members": False}
python_use_unqualified_type_names = True
add_module_names = False

# Furo and all that it needs lie in the folder that is built: no font, script or picture comes from elsewhere.
html_theme = "furo"
html_title = f"hpo {release}"
html_static_path: list[str] = []
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": False}


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", _mark_code, priority=400)  # before napoleon, at 500


def _mark_code(_app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings set code apart by an empty line and an indentation; reStructuredText wants two colons before it."""
    for index in range(len(lines) - 3, -1, -1):
        text, gap, code = lines[index : index + 3]
        is_code = not gap.strip() and _indent(code) > _indent(text) and text.strip()
        if is_code and not text.lstrip().startswith(("-", "*", ".. ", ":")) and not text.endswith("::"):
            lines[index + 1 : index + 2] = ["", "::", ""]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip()) if line.strip() else 0
