"""The source of what users bring: the module of `module:Class`, or the script of a program, and what these import beside them.

It decides the latents as much as a configuration does, so its digests are part of a run's identity. Files are found by reading
import statements; nothing is run, and of what `module:Class` names only the packages above the module are imported.
"""

import ast
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stabaudit.registry import working_directory
from stabaudit.store.files.atomic import sha256

SCRIPTS = {".py", ".r", ".jl", ".sh", ".bash", ".pl", ".rb", ".lua", ".js", ".m", ".ipynb"}  # other files can be what it writes


def source_of_modules(names: Iterable[str]) -> dict[str, str]:
    """The source files behind names, with what they import beside them.

    Args:
        names: `package.module:attribute`; others are built in and left out. The packages above
            their modules are imported.

    Returns:
        Path below the folder that holds the module or its topmost package → SHA-256.
    """
    return {name: sha256(path) for name, path in _module_files(names).items()}


def module_files(names: Iterable[str]) -> dict[str, Path]:
    """Like `source_of_modules`, but the files themselves, and none of those that belong to an installed package."""
    return {name: path for name, path in _module_files(names).items() if not _installed(path)}


@contextmanager
def own_modules(folder: Path) -> Iterator[None]:
    """Modules are found in a folder too, after all other places and the working directory, for as long as the block lasts."""
    with working_directory(kept=True):
        sys.path.append(str(folder))
        try:
            yield
        finally:
            sys.path.remove(str(folder))


def _module_files(names: Iterable[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for module in sorted({name.partition(":")[0] for name in names if ":" in name}):
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None and Path(spec.origin).suffix == ".py":
            origin = Path(spec.origin).resolve()
            above = module.count(".") + (origin.name == "__init__.py")
            found |= _with_imports(origin, origin.parents[above], package=module.partition(".")[0])
    return found


def source_of_command(words: Iterable[str]) -> dict[str, str]:
    """The scripts that the words of a command name, and what those in Python import beside them.

    Returns:
        Path as the command gives it, or below the script's folder of what it imports → SHA-256.
    """
    found: dict[str, str] = {}
    for word in words:
        path = Path(word)
        if path.suffix.lower() not in SCRIPTS or not path.is_file() or _installed(path.resolve()):
            continue
        found[path.as_posix()] = sha256(path)
        if path.suffix == ".py":
            origin = path.resolve()
            beside = _with_imports(origin, origin.parent)
            found |= {name: sha256(imported) for name, imported in beside.items() if name != origin.name}
    return found


def _with_imports(origin: Path, root: Path, package: str = "") -> dict[str, Path]:
    """A file and all that it imports from below `root`; of an installed package, from this package only."""
    own = f"{package}." if _installed(origin) else ""
    waiting, seen = [origin], {origin}
    while waiting:
        for name in _imported_by(waiting.pop(), root):
            if not f"{name}.".startswith(own):
                continue
            for path in _files_of(name, root):
                if path not in seen:
                    seen.add(path)
                    waiting.append(path)
    return {path.relative_to(root).as_posix(): path for path in sorted(seen)}


def _imported_by(path: Path, root: Path) -> Iterator[str]:
    """Full names that a file imports, of modules or of what is in them."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    packages = path.relative_to(root).parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = packages[: len(packages) + 1 - node.level] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)


def _files_of(name: str, root: Path) -> Iterator[Path]:
    """The files below a folder that are loaded when a name is imported, those of its packages included."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:length])
        yield from (path.resolve() for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())


def _installed(path: Path) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    return any(
        path.is_relative_to(Path(sysconfig.get_path(kind)).resolve()) for kind in ("stdlib", "purelib", "platlib", "scripts")
    )
