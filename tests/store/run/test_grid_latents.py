"""Latents on a grid: what their columns are called, in files of runs and in files from elsewhere."""

import duckdb
import numpy as np
import pandas as pd
import pytest

from stabaudit.errors import BadData
from stabaudit.store.run.latents import Latents, LatentsMetadata, read_latents, write_latents
from stabaudit.store.run.latents_stream import read_header

H, W, D, ROWS = 2, 3, 4, 20
VALUES = np.random.default_rng(0).standard_normal((ROWS, H, W, D), dtype=np.float32)


def grid_latents():
    flat = VALUES.reshape(ROWS, -1)
    return Latents(np.arange(ROWS), flat, log_var=2 * flat, metadata=LatentsMetadata(grid=(H, W, D)))


def test_every_column_says_its_row_column_and_number(tmp_path):
    path = tmp_path / "z.parquet"
    write_latents(path, grid_latents())
    frame = pd.read_parquet(path)
    np.testing.assert_array_equal(frame["z1_2_3"], VALUES[:, 1, 2, 3])
    np.testing.assert_array_equal(frame["log_var0_1_2"], 2 * VALUES[:, 0, 1, 2])
    at = duckdb.sql(f"SELECT COLUMNS('^z0_2_') FROM '{path}' ORDER BY sample_id").df()
    np.testing.assert_array_equal(at.to_numpy(), VALUES[:, 0, 2])


def test_a_grid_comes_back_as_it_was(tmp_path):
    path = tmp_path / "z.parquet"
    write_latents(path, grid_latents())
    back, header = read_latents(path), read_header(path)
    assert back.metadata.grid == header.metadata.grid == (H, W, D)
    assert (header.rows, header.dimensions) == (ROWS, H * W * D)
    np.testing.assert_array_equal(back.mean, VALUES.reshape(ROWS, -1))
    np.testing.assert_array_equal(back.log_var, 2 * back.mean)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_names_of_columns_make_a_grid_of_what_comes_from_elsewhere_in_any_order(kind, tmp_path):
    names = [f"z{row}_{column}_{k}" for k in range(D) for column in range(W) for row in range(H)]
    columns = {name: VALUES[(slice(None), *map(int, name[1:].split("_")))] for name in names}
    frame = pd.DataFrame({"sample_id": np.arange(ROWS)} | columns)
    path = tmp_path / f"mine.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    found = read_latents(path)
    assert found.metadata.grid == (H, W, D)
    np.testing.assert_allclose(found.mean, VALUES.reshape(ROWS, -1), rtol=1e-6)


@pytest.mark.parametrize("change", [{"z0_0_9": 1.0}, {"z999999_999999_999999": 1.0}, {"z1_2_3": None}, {"z01_0_0": 1.0}])
def test_a_grid_with_a_hole_is_refused(change, tmp_path):
    names = [f"z{row}_{column}_{k}" for row in range(H) for column in range(W) for k in range(D)]
    frame = pd.DataFrame(dict(zip(names, VALUES.reshape(ROWS, -1).T, strict=True)))
    for name, value in change.items():
        frame = frame.drop(columns=name) if value is None else frame.assign(**{name: value})
    frame.to_csv(tmp_path / "holes.csv", index=False)
    with pytest.raises(BadData, match=r"holes.csv: \d+ columns zROW_COLUMN_NUMBER, expected all \d+ of a \d+×\d+×\d+ grid$"):
        read_latents(tmp_path / "holes.csv")


def test_a_bad_number_is_named_by_its_position(tmp_path):
    latents = grid_latents()
    latents.mean[3, 1 * W * D + 2 * D + 1] = np.nan
    with pytest.raises(BadData, match="z1_2_1 holds 1 NaN"):
        write_latents(tmp_path / "z.parquet", latents)
