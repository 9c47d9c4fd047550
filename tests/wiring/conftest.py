from tests.searches import searched, storage, template

__all__ = ["searched", "storage", "template"]
