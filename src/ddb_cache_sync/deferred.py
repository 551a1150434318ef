"""Names of a package whose modules are loaded when a name is first asked for (PEP 562), and not with the package.

Rule: whoever only applies stream records pays for nothing else at a cold start.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def deferred(
    package: str, modules: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package.

    A package has them behind `if not TYPE_CHECKING`, and imports the names for type checkers: a checker that sees a
    `__getattr__` takes every name for one that is there.

    Args:
        package: Its `__name__`.
        modules: For each of its modules, by the name below the package, the names that come from there.
    """
    module_of = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        found = getattr(import_module(f"{package}.{module_of[name]}"), name)
        setattr(sys.modules[package], name, found)  # so that it is asked for once
        return found

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *module_of})

    return get, names
