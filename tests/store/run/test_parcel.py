"""Parcels of files: the same files make the same bytes, and damage is one line."""

import time

import pytest

from stabaudit.errors import BadData
from stabaudit.store.run.parcel import pack, unpack

FILES = {"latents/restart-000.parquet": b"PAR1" + bytes(range(256)), "restarts.json": b"[]", "empty": b""}


def test_what_is_packed_is_unpacked_and_the_bytes_do_not_depend_on_the_hour(monkeypatch):
    parcel = pack(FILES)
    assert unpack(parcel) == FILES
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1e6)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(now + 1e6))
    assert pack(FILES) == parcel


def test_every_flipped_byte_of_content_and_every_cut_is_noticed():
    parcel = pack(FILES)
    begin = parcel.index(b"PAR1")
    flipped = [parcel[:at] + bytes([parcel[at] ^ 1]) + parcel[at + 1 :] for at in range(begin, begin + 260)]
    for damaged in (*flipped, *(parcel[:size] for size in range(0, len(parcel), 7))):
        with pytest.raises(BadData, match="a parcel was damaged on its way"):
            unpack(damaged)
