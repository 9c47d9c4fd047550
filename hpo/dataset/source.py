"""Reading of a data.yaml by Ultralytics' rules with one exception: a relative ``path`` starts at the file's own folder.

Ultralytics takes a relative ``path`` from the working folder, or from a folder of its settings; both differ from
machine to machine. Training therefore reads the copy that ``hpo.dataset.description.write_resolved`` makes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.errors import Problem, SpecError
from hpo.yamlfile.document import Node, plain, read_document
from hpo.yamlfile.report import ProblemReport

_OWN_KEYS = frozenset({"path", "train", "val", "validation", "test", "names", "nc"})


@dataclass(frozen=True)
class Source:
    """A data.yaml with correct keys and existing splits; the content of the splits is not read yet."""

    file: Path
    """Path as the user gave it; errors use it."""
    root: Path
    """Absolute folder that the paths of the splits are relative to."""
    names: tuple[str, ...]
    splits: dict[str, tuple[Path, ...]]
    """``train``, ``val`` and, if the file has it, ``test``: absolute folders of images or lists of images."""
    lines: dict[str, int]
    """Line of each split's key, from 1."""
    other: dict[str, Any]
    """All further keys, unchanged."""


def read(yaml: Path) -> Source:
    """Read the file. Raises SpecError with every problem of its keys."""
    checker = _Checker(yaml, _mapping(yaml))
    checker.refuse_unsupported()
    names = checker.names()
    root = checker.root()
    splits = checker.splits(root) if root else {}
    if checker.problems or root is None:
        raise SpecError(checker.problems)
    other = {key: value for key, value in checker.keys.items() if key not in _OWN_KEYS}
    lines = {split: checker.line(checker.key_of(split)) for split in splits}
    return Source(yaml, root, names, splits, lines, other)


def _mapping(yaml: Path) -> dict[str, Node]:
    if not _exists(yaml):
        raise SpecError([Problem(str(yaml), 0, "", "no such file; `data` names a data.yaml in YOLO format")])
    report = ProblemReport()
    root = read_document(yaml, report)
    report.raise_if_any()
    if root is None or not isinstance(root.value, Mapping):
        raise SpecError([Problem(str(yaml), 1, "", "must map the keys train, val and names to values")])
    return dict(root.value)


class _Checker:
    """Reads key by key and collects what is wrong."""

    def __init__(self, file: Path, nodes: Mapping[str, Node]) -> None:
        self.file = file
        self.keys = {key: plain(node) for key, node in nodes.items()}
        self._nodes = nodes
        self.problems: list[Problem] = []

    def line(self, key: str) -> int:
        return self._nodes[key].line if key in self._nodes else 0

    def key_of(self, split: str) -> str:
        """Return the key of the split; Ultralytics accepts ``validation`` if there is no ``val``."""
        return "validation" if split == "val" and "val" not in self.keys and "validation" in self.keys else split

    def _wrong(self, key: str, message: str) -> None:
        self.problems.append(Problem(str(self.file), self.line(key), key, message))

    def refuse_unsupported(self) -> None:
        if "<<" in self.keys:
            self._wrong("<<", "merges another mapping; write its keys out")
        if "download" in self.keys:
            told = "can run code of the file's author, so it is refused; fetch the data yourself and remove this key"
            self._wrong("download", told)
        if self.keys.get("kpt_shape") is not None:
            told = "keypoints are not for detection; remove this key and keep boxes in the label files"
            self._wrong("kpt_shape", told)

    def names(self) -> tuple[str, ...]:
        names, nc = self.keys.get("names"), self.keys.get("nc")
        if names is None:
            self._wrong("names", "the class names are missing; write them as a list, or as `0: name` lines")
            return ()
        if not isinstance(names, (list, dict)):
            self._wrong("names", f"must be a list, or map 0, 1, ... to names, not {names!r}")
            return ()
        listed = self._ordered(dict(enumerate(names)) if isinstance(names, list) else dict(names))
        if listed and nc is not None and _whole(nc) != len(listed):
            self._wrong("nc", f"is {nc}, but `names` has {len(listed)}; correct one of them, or remove `nc`")
        return listed

    def _ordered(self, names: dict[Any, Any]) -> tuple[str, ...]:
        indices = [_whole(index) for index in names]
        if not names:
            self._wrong("names", "is empty; a detector needs at least one class")
        elif set(indices) != set(range(len(names))) or len(set(indices)) != len(indices):
            self._wrong("names", f"must number the classes 0 to {len(names) - 1}, each once; it has {list(names)}")
        else:
            by_index = dict(zip(indices, names.values(), strict=True))
            return tuple(str(by_index[index]) for index in range(len(names)))
        return ()

    def root(self) -> Path | None:
        own = self.file.absolute().parent
        path = self.keys.get("path")
        if path is None:
            return _resolved(own)
        if not isinstance(path, str):
            self._wrong("path", f"must be a folder's name, not {path!r}")
            return None
        root = _resolved(own / path)
        if not os.path.isdir(root):  # noqa: PTH112  (Path.is_dir raises for a name that is too long)
            self._wrong("path", f"{root} is no folder; write it relative to this file's folder, or absolute")
            return None
        return root

    def splits(self, root: Path) -> dict[str, tuple[Path, ...]]:
        splits: dict[str, tuple[Path, ...]] = {}
        for split in ("train", "val", "test"):
            key = self.key_of(split)
            value: Any = self.keys.get(key)
            entries: list[Any] = value if isinstance(value, list) else [value]
            if not value:
                if split != "test":
                    self._wrong(split, "is missing; name a folder of images or a .txt list of them")
            elif not all(isinstance(entry, str) for entry in entries):
                self._wrong(key, f"must be a folder, a .txt list, or a list of these, not {value!r}")
            else:
                splits[split] = tuple(self._existing(key, root, entry) for entry in entries)
        return splits

    def _existing(self, key: str, root: Path, entry: str) -> Path:
        found = _resolved(root / entry)
        if not _exists(found) and entry.startswith("../"):  # as Ultralytics does, for files exported by Roboflow
            found = _resolved(root / entry[3:])
        if not _exists(found):
            way_out = "correct it or remove the key" if key == "test" else "correct it, or `path`"
            self._wrong(key, f"{_resolved(root / entry)} does not exist; {way_out}")
        return found


def _resolved(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises for a link to itself


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110  (Path.exists raises for a name that is too long)


def _whole(value: object) -> int | None:
    """Return ``3``, ``3.0`` or ``"3"`` as an integer, as Ultralytics reads a count or an index; None for
    anything else.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else None
