from tests.studyfile.conftest import studio

__all__ = ["studio"]
