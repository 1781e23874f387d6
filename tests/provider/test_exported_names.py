"""The public face of the package."""

from __future__ import annotations

import inspect

import oneclickdz
from oneclickdz import errors


def test_every_exported_name_exists_and_the_list_is_sorted() -> None:
    assert list(oneclickdz.__all__) == sorted(oneclickdz.__all__, key=_as_ruff_sorts)
    assert all(hasattr(oneclickdz, name) for name in oneclickdz.__all__)


def test_every_error_of_the_tree_is_exported() -> None:
    tree = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)}
    assert tree <= set(oneclickdz.__all__)


def test_nothing_public_is_forgotten() -> None:
    public = {name for name, item in vars(oneclickdz).items() if name[0] != "_" and not inspect.ismodule(item)}
    assert public == set(oneclickdz.__all__)


def test_every_public_class_and_function_is_explained() -> None:
    for name in oneclickdz.__all__:
        item = getattr(oneclickdz, name)
        if inspect.isclass(item) or inspect.isfunction(item):
            assert inspect.getdoc(item), name


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    if name.isupper():
        return 0, name
    return (1 if name[0].isupper() else 2), name
