"""What can't be honoured is refused before the first epoch. Placeholder imports follow."""

from __future__ import annotations

from hpo.spec.report import Finding
from hpo.spec.schema import StudySpec


def check(spec: StudySpec) -> list[Finding]:
    return []
