"""Files as one parcel of bytes that travels between machines: a ZIP archive, stored, with the checksums that ZIP has."""

import io
import zipfile
from collections.abc import Mapping

from stabaudit.errors import BadData

_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file: the same files make the same parcel


def pack(files: Mapping[str, bytes]) -> bytes:
    """Files by name as one parcel.

    >>> unpack(pack({"a/b.txt": b"1", "c": b""}))
    {'a/b.txt': b'1', 'c': b''}
    """
    parcel = io.BytesIO()
    with zipfile.ZipFile(parcel, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return parcel.getvalue()


def unpack(parcel: bytes) -> dict[str, bytes]:
    """The files of a parcel, by name.

    Raises:
        BadData: where it was damaged on its way.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(parcel)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadData(f"a parcel was damaged on its way ({error}); run the same command again") from error
