"""HDF5 files from anywhere.

Nothing in them is code, but a file can point to other files and promise more than it holds; both are refused before anything is
allocated.
"""

from typing import Any

from stabaudit.errors import BadData

_COMPRESSION_LIMIT = 1032  # bytes that one byte can stand for (deflate's most; Deutsch 1996, RFC 1951)
HDF5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError, MemoryError)


def member_of(group: Any, name: str, where: str, expected: str) -> Any:  # noqa: ANN401 -- h5py has no types
    """What a name stands for in this very file; never a path, whose parts could be links.

    Args:
        group: an open file, or a group of it.
        name: of a member.
        where: the file.
        expected: what kind of file it should be, for a message.

    Raises:
        BadData: no such member, or a link.
    """
    import h5py  # noqa: PLC0415 -- an optional dependency

    if name not in list(group):  # `name in group` would walk along paths and links
        raise BadData(f"{where}: no {name!r} in {group.name}; expected {expected}")
    if group.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
        raise BadData(f"{where}: {name!r} is a link to elsewhere, which is not followed; write the file anew")
    return group[name]


def require_held(dataset: Any, size: int, where: str) -> int:  # noqa: ANN401
    """Bytes of all of a dataset, which lies in this file and can hold what its shape promises.

    Args:
        dataset: of an open file.
        size: of the file, in bytes.
        where: the file.

    Raises:
        BadData: where it does not.
    """
    if dataset.is_virtual or dataset.external:
        raise BadData(f"{where}: {dataset.name} lies in other files, which are not opened; write the file anew")
    needed, stored = int(dataset.size * dataset.dtype.itemsize), min(dataset.id.get_storage_size(), size)
    if needed > stored * (_COMPRESSION_LIMIT if dataset.id.get_create_plist().get_nfilters() else 1):
        raise BadData(
            f"{where}: {dataset.name}, shape {dataset.shape} of {dataset.dtype}, takes {needed:,} bytes, "
            f"the file holds {stored:,}; write it anew"
        )
    return needed
