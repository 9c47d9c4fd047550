"""Draws docs/images/architecture*.svg from the import contracts and the imports: ``make architecture``.

Floors come from the contract of layers in pyproject.toml; a package without such a contract gets them from its imports.
An arrow is an import between two packages. Arrows that follow from others are left out: where A imports B and B
imports C, there is no arrow from A to C.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import grimp

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
PICTURES = {"hpo": IMAGES / "architecture.svg", "hpo.study": IMAGES / "architecture-study.svg"}
NAMES = {"sqlalchemy": "SQLAlchemy", "alembic": "Alembic", "optuna": "Optuna", "mlflow": "MLflow"}
NAMES |= {"ultralytics": "Ultralytics"}
WIDTH, MARGIN, BOX_HEIGHT, FLOOR_HEIGHT, GAP = 960, 24, 50, 104, 22
NAME_LETTER, OWNED_LETTER = 8.8, 6.0
"""Widths of a letter, roughly: no font is measured."""
STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;text-anchor:middle}"
    ".name{font-size:15px;font-weight:600;fill:#16324f}.owns{font-size:11px;fill:#5b6b7b}"
    ".floor{fill:#f1f5f9}.box{fill:#fff;stroke:#7a94ad;stroke-width:1.2}"
    ".arrow{fill:none;stroke:#9db2c7;stroke-width:1.3}"
)

Floors = list[list[str]]
Edges = dict[str, set[str]]


def contracts() -> list[dict[str, Any]]:
    """The import contracts of pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: list[dict[str, Any]] = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return found


def imports(package: str) -> Edges:
    """For each part of ``package``, the other parts that it imports."""
    graph = grimp.build_graph("hpo", cache_dir=None)
    parts = sorted(graph.find_children(package))
    for part in parts:
        graph.squash_module(part)
    found = {part: graph.find_modules_directly_imported_by(part) & (set(parts) - {part}) for part in parts}
    return {_short(part): {_short(other) for other in others} for part, others in found.items()}


def floors(package: str, edges: Edges) -> Floors:
    """Parts by floor, the top one first; on a floor none imports another."""
    for contract in contracts():
        if contract["type"] == "layers" and package in contract.get("containers", []):
            layers = [
                [part.strip(" ()") for part in layer.replace(":", "|").split("|")] for layer in contract["layers"]
            ]
            missing = edges.keys() - {part for layer in layers for part in layer}
            if missing:
                raise SystemExit(f"{package}: the contract {contract['name']!r} has no floor for {sorted(missing)}")
            return [[part for part in layer if part in edges] for layer in layers]
    height: dict[str, int] = {}

    def measure(part: str, above: tuple[str, ...] = ()) -> int:
        if part in above:
            raise SystemExit(f"{package}: imports in a circle: {' -> '.join((*above, part))}")
        if part not in height:
            height[part] = 1 + max((measure(other, (*above, part)) for other in sorted(edges[part])), default=-1)
        return height[part]

    top = max(measure(part) for part in sorted(edges))
    return [sorted(part for part in edges if height[part] == level) for level in range(top, -1, -1)]


def reduced(edges: Edges) -> Edges:
    """Without the arrows that follow from others."""

    def reached(part: str) -> set[str]:
        return {part}.union(*(reached(other) for other in edges[part]))

    return {
        part: {other for other in others if not any(other in reached(via) for via in others - {other})}
        for part, others in edges.items()
    }


def owned() -> dict[str, list[str]]:
    """Libraries by the package that alone imports them."""
    found: dict[str, list[str]] = {}
    for contract in contracts():
        if contract["type"] == "protected":
            libraries = [name for name in contract["protected_modules"] if not name.startswith("hpo")]
            for importer in contract["allowed_importers"]:
                found.setdefault(importer, []).extend(NAMES.get(name, name) for name in libraries)
    return found


def drawing(package: str) -> str:
    """The picture as SVG, the same for the same contracts and imports."""
    edges = imports(package)
    rows = floors(package, edges)
    arrows = reduced(edges)
    libraries = {part: ", ".join(owned().get(f"{package}.{part}", [])) for part in edges}
    places = _places(_ordered(rows, arrows), libraries)
    height = 2 * MARGIN + FLOOR_HEIGHT * len(rows) - (FLOOR_HEIGHT - BOX_HEIGHT) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>The packages of {escape(package)} and their imports</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#9db2c7"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    lines += [
        f'<rect class="floor" x="{MARGIN / 2:g}" y="{_top(level) - 10}" width="{WIDTH - MARGIN}" '
        f'height="{BOX_HEIGHT + 20}" rx="8"/>'
        for level in range(len(rows))
    ]
    lines += [_arrow(places[part], places[other]) for part in sorted(arrows) for other in sorted(arrows[part])]
    lines += [_box(part, libraries[part], places[part]) for part in sorted(places)]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _short(module: str) -> str:
    return module.rsplit(".", 1)[-1]


def _ordered(rows: Floors, arrows: Edges) -> Floors:
    """Parts beside each other in the order of what they import, so that fewer arrows cross."""
    ordered = [list(row) for row in rows]
    above: Edges = {part: {other for other in arrows if part in arrows[other]} for part in arrows}
    for _ in range(6):
        for neighbours in (above, arrows):
            at = {part: (index + 0.5) / len(row) for row in ordered for index, part in enumerate(row)}
            for row in ordered:
                row.sort(key=lambda part, at=at, near=neighbours: (_middle(at, part, near[part]), part))  # type: ignore[misc]
    return ordered


def _middle(at: Mapping[str, float], part: str, others: set[str]) -> float:
    return round(sum(at[other] for other in sorted(others)) / len(others), 6) if others else at[part]


def _top(level: int) -> int:
    return MARGIN + level * FLOOR_HEIGHT


def _places(rows: Sequence[Sequence[str]], libraries: Mapping[str, str]) -> dict[str, tuple[float, int, float]]:
    """The left side, the top and the width of each box."""
    places: dict[str, tuple[float, int, float]] = {}
    for level, row in enumerate(rows):
        widths = [max(96.0, NAME_LETTER * len(part) + 24, OWNED_LETTER * len(libraries[part]) + 20) for part in row]
        spread = (WIDTH - 2 * MARGIN - sum(widths)) / (len(row) + 1)
        x = MARGIN + max(spread, 0)
        for part, width in zip(row, widths, strict=True):
            places[part] = (x, _top(level), width)
            x += width + max(spread, GAP / 2)
    return places


def _arrow(begin: tuple[float, int, float], end: tuple[float, int, float]) -> str:
    x1, y1 = begin[0] + begin[2] / 2, begin[1] + BOX_HEIGHT
    x2, y2 = end[0] + end[2] / 2, end[1] - 2
    bend = (y2 - y1) / 2
    return (
        f'<path class="arrow" marker-end="url(#tip)" '
        f'd="M{x1:.1f} {y1}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2}"/>'
    )


def _box(part: str, libraries: str, place: tuple[float, int, float]) -> str:
    x, y, width = place
    middle = x + width / 2
    name_y = y + (BOX_HEIGHT / 2 if libraries else BOX_HEIGHT / 2 + 5)
    owns = f'<text class="owns" x="{middle:.1f}" y="{y + 39}">{escape(libraries)}</text>' if libraries else ""
    return (
        f'<rect class="box" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text class="name" x="{middle:.1f}" y="{name_y:g}">{escape(part)}</text>{owns}'
    )


def main() -> None:
    """Writes both pictures."""
    for package, file in PICTURES.items():
        file.write_text(drawing(package), encoding="utf-8")


if __name__ == "__main__":
    main()
