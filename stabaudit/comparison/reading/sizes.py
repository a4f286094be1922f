"""What a selector names, and how many numbers its latents are, by headers alone."""

from pathlib import Path

from stabaudit.store.files.h5ad import size_of_h5ad
from stabaudit.store.imports.foreign_files import SUFFIXES, Naming, kind, sparse_size
from stabaudit.store.imports.import_run import holds_a_table, latents_files
from stabaudit.store.imports.table_folder import bytes_on_disk, is_parquet, restarts_below
from stabaudit.store.run.find import parse_selector
from stabaudit.store.run.latents_stream import read_header
from stabaudit.store.run.run_folder import Run


def numbers_in(selector: str, naming: Naming) -> int:
    """How many numbers the latents of a selector are.

    Raises:
        BadRun: a folder that is no run and holds no latents.
        BadData: a file that cannot be read.
        UsageError: no such path, or an option that does not fit the file.
    """
    path, restart = parse_selector(selector)
    if is_one_file(path, naming):
        return _numbers_in_file(path, naming)
    if restart is None and is_folder_of_latents(path, naming):
        return sum(_numbers_in_file(file, naming) for file in latents_files([path], naming.folder))
    run = Run.open(path)
    return sum(numbers_of_restart(run, index) for index in (run.done if restart is None else [restart]))


def numbers_of_restart(run: Run, index: int) -> int:
    """How many numbers the latents of a restart are."""
    header = run.latents_header(index)
    return header.rows * header.dimensions


def is_one_file(path: Path, naming: Naming) -> bool:
    """Whether a path is one file of latents, or a folder with the parts of one table."""
    return path.is_file() or (not (path / "run.json").exists() and holds_a_table(path, naming.folder))


def is_folder_of_latents(path: Path, naming: Naming) -> bool:
    """Whether a folder is no run but holds files of latents."""
    if not path.is_dir() or (path / "run.json").exists():
        return False
    return any(kind(one) in SUFFIXES for one in path.iterdir()) or bool(restarts_below(path, naming.folder))


def _numbers_in_file(path: Path, naming: Naming) -> int:
    """How many numbers the latents in a file are; where no header says it, as many as its bytes could hold."""
    if path.is_dir() or kind(path) == ".parquet":
        if not is_parquet(path):
            return bytes_on_disk(path) // 4
        header = read_header(path, naming)
        return header.rows * header.dimensions
    if kind(path) == ".h5ad":  # most of it may be the count matrix
        return size_of_h5ad(path, naming.obsm)
    dense = sparse_size(path) if kind(path) == ".npz" else None
    return path.stat().st_size // 4 if dense is None else dense
