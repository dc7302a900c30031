"""JavaScript's modules as one script, for pages that are opened from a file.

From file:// browsers load no modules. Each module becomes a function of its own, called after those
that it imports, so that names in one are unknown to the others, as they are in modules:

    import { area } from "./shapes.js";         const shapes = (() => {
    export const twice = (x) => 2 * area(x);      ...
                                                  return { area };
                                                })();
                                                const main = (() => {
                                                  const { area } = shapes;
                                                  const twice = (x) => 2 * area(x);
                                                  return { twice };
                                                })();

Two forms are understood, each at the beginning of a line: the import of names, as above, and
`export` before const, function, async function or class. Others are refused.
"""

from __future__ import annotations

import re
from importlib.resources.abc import Traversable
from posixpath import dirname, join, normpath

_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[^"]+)";[ \t]*\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:const|class|function\*?|async function) (\w+))", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)


class WebModuleError(Exception):
    """A module that cannot be put into one script: a mistake in it, and none of a user's."""


def joined(folder: Traversable, entry: str) -> str:
    """The script of a module and of all that it imports, in the order in which they run.

    Args:
        folder: where the modules lie.
        entry: the module to begin with, as a path in the folder such as "core/app.js".

    Raises:
        WebModuleError: an import or export in another form, a module or a name that is not there,
            or modules that import each other in a circle.
    """
    done: dict[str, str] = {}
    _add(folder, entry, done, ())
    return "\n".join(done.values())


def _add(folder: Traversable, path: str, done: dict[str, str], importers: tuple[str, ...]) -> None:
    """Add a module, and before it those that it imports, unless they are there."""
    if path in done:
        return
    if path in importers:
        raise WebModuleError(f"{' imports '.join([*importers, path])}: a circle")
    file = folder.joinpath(path)
    if not file.is_file():
        raise WebModuleError(f"{importers[-1] if importers else 'the page'}: there is no {path}")
    text = file.read_text("utf-8")
    for names, target in _IMPORT.findall(text):
        place = _place(path, target)
        _add(folder, place, done, (*importers, path))
        exported = {name for _, name in _EXPORT.findall(folder.joinpath(place).read_text("utf-8"))}
        wanted = {name.split(" as ")[0].strip() for name in names.split(",")} - {""}
        if missing := sorted(wanted - exported):
            raise WebModuleError(f"{path}: {place} does not export {', '.join(missing)}")
    done[path] = _as_function(path, text)


def _as_function(path: str, text: str) -> str:
    exported = [name for _, name in _EXPORT.findall(text)]
    text = _IMPORT.sub(
        lambda found: (
            f"const {{{found[1].replace(' as ', ': ')}}} = {_name(_place(path, found[2]))};\n"
        ),
        text,
    )
    text = _EXPORT.sub(r"\1", text)
    if other := _OTHER.search(text):
        raise WebModuleError(f"{path}: {other[0]!r} is in a form that is not understood")
    returned = f"return {{ {', '.join(exported)} }};\n" if exported else ""
    return f"const {_name(path)} = (() => {{\n{text}{returned}}})();"


def _place(path: str, target: str) -> str:
    return normpath(join(dirname(path), target))


def _name(path: str) -> str:
    """The constant in which a module's exports are."""
    return "module_" + re.sub(r"\W", "_", path.removesuffix(".js"))
