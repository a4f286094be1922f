"""Feather files and gzipped text: what is whole is read, what is not is one line."""

import gzip

import numpy as np
import pandas as pd
import pytest

from stabaudit.errors import BadData
from stabaudit.store.files.feather import read_feather
from stabaudit.store.files.gzip_file import inflate

FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 3)), columns=list("abc"))


@pytest.mark.parametrize("compression", ["lz4", "zstd", "uncompressed"])
def test_what_pandas_wrote_is_read(tmp_path, compression):
    FRAME.to_feather(tmp_path / "a.feather", compression=compression)
    pd.testing.assert_frame_equal(read_feather(tmp_path / "a.feather").to_pandas(), FRAME)


def test_gzipped_text_is_inflated(tmp_path):
    text = FRAME.to_csv().encode()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text))
    assert inflate(tmp_path / "a.csv.gz") == text


@pytest.mark.parametrize("reader", [read_feather, inflate])
def test_what_is_damaged_or_missing_is_one_line(tmp_path, reader):
    path = tmp_path / "file"
    with pytest.raises(BadData, match=r"cannot read .*no such file"):
        reader(path)
    FRAME.to_feather(path)
    whole = path.read_bytes() if reader is read_feather else gzip.compress(FRAME.to_csv().encode())
    for content in (b"", b"words", whole[: len(whole) // 2], whole[:-9]):
        path.write_bytes(content)
        if content or reader is read_feather:
            with pytest.raises(BadData, match=r"is damaged, cut short or not (Feather|gzipped)") as error:
                reader(path)
            assert "\n" not in str(error.value)


@pytest.mark.slow
def test_what_inflates_as_no_numbers_do_is_refused(tmp_path):
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(bytes(2**26 + 1), compresslevel=9))
    with pytest.raises(BadData, match="inflates to more than 100 times its size"):
        inflate(tmp_path / "bomb.csv.gz")
