"""Cases of `generated_inputs`: embeddings in lists, sparse matrices, layers and tables in parts, made wrong and then damaged."""

import io
import random
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
from pyarrow import feather, parquet
from scipy import sparse

N, D = 40, 3
QUICK = ["--floor-draws", "2", "--rotations", "9"]
Damage = Callable[[bytes, random.Random], bytes]

KINDS = [
    pa.list_(pa.float32()),
    pa.list_(pa.float64(), D),
    pa.large_list(pa.float32()),
    pa.list_(pa.int16()),
    pa.list_(pa.float16()),
    pa.list_(pa.string()),
    pa.list_(pa.bool_()),
    pa.list_view(pa.float32()),
    pa.struct([("a", pa.float32())]),
]
ODD_ROWS = [None, [], [1.0], [None] * D, [1e39] * D, [float("nan")] * D, [1.0] * (D + 1)]


def lists_table(rng: random.Random, seed: int) -> pa.Table:
    """An embedding of one of many types, in which some rows are odd."""
    kind = rng.choice(KINDS if rng.random() < 0.3 else KINDS[:3])
    rows: list[object] = np.random.default_rng(seed).normal(size=(N, D)).tolist()
    if rng.random() < 0.15:
        rows[rng.randrange(N)] = rng.choice(ODD_ROWS)
    nested = rng.random() < 0.2
    try:
        column = pa.array([[row] for row in rows] if nested else rows, type=pa.list_(kind) if nested else kind)
    except (pa.ArrowException, TypeError, ValueError):
        column = pa.array(np.random.default_rng(seed).normal(size=(N, D)).tolist())
    columns = {"embedding": column}
    if rng.random() < 0.7:
        columns[rng.choice(["sample_id", "id", "text"])] = pa.array([f"row {i}" for i in range(N)])
    if rng.random() < 0.1:
        columns["other"] = columns["embedding"]
    return pa.table(columns)


def written(table: pa.Table, suffix: str, rng: random.Random) -> bytes:
    """A table in one of the formats."""
    buffer = io.BytesIO()
    if suffix == ".parquet":
        try:
            parquet.write_table(table, buffer, row_group_size=rng.choice([7, 1000]))
        except pa.ArrowException:  # a type that Parquet lacks
            buffer = io.BytesIO()
            parquet.write_table(table.drop_columns(["embedding"]).append_column("x", pa.array([[1.0]] * N)), buffer)
    elif suffix == ".feather":
        feather.write_feather(table, buffer)
    else:
        options = pa.ipc.IpcWriteOptions(compression=rng.choice([None, "lz4", "zstd"]))
        with (pa.ipc.new_stream if rng.random() < 0.5 else pa.ipc.new_file)(buffer, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=rng.choice([7, 1000]))
    return buffer.getvalue()


def words(files: list[str], rng: random.Random) -> list[str]:
    """A command that reads files."""
    position = ["--ids-by-position"]
    more = rng.choice([[], *3 * [position], ["--strict"], ["--key", "embedding", *position], ["--key", "other"]])
    if rng.random() < 0.3:
        return ["import", *files, "--out", "run", *more]
    return ["compare", *files, *QUICK, "--memory", rng.choice([*3 * ["100MB"], "1kB", "1MB"]), *more]


def lists_case(rng: random.Random, damaged: Damage) -> list[str]:
    suffix, spoil, seed = rng.choice([".parquet", ".parquet", ".arrow", ".ipc", ".feather"]), rng.randrange(4), rng.random()
    for restart in range(3):
        content = written(lists_table(random.Random(seed), restart), suffix, rng)
        Path(f"z{restart}{suffix}").write_bytes(damaged(content, rng) if restart == spoil and rng.random() < 0.5 else content)
    return words([f"z{restart}{suffix}" for restart in range(3)], rng)


def sparse_arrays(rng: random.Random, seed: int) -> dict[str, np.ndarray]:
    """What scipy saves, with one array that is something else."""
    z = np.random.default_rng(seed).normal(size=(N, D)) * (np.random.default_rng(seed).random((N, D)) < 0.5)
    made = rng.choice([*3 * [sparse.csr_array, sparse.csc_array, sparse.coo_array], sparse.bsr_array, sparse.dia_array])(z)
    buffer = io.BytesIO()
    sparse.save_npz(buffer, made)
    buffer.seek(0)
    arrays = dict(np.load(buffer))
    if rng.random() < 0.25:
        name = rng.choice(sorted(arrays))
        old = arrays[name]
        odd = [
            old[::-1] if old.ndim else old,
            old[:-1] if old.ndim else old,
            np.array(rng.choice([-1, 0, 2**31, 2**62, 2**63 - 1])),
            np.array([2**62, 2**62]),
            np.array([N, 10**9]),
            np.array([-1, D]),
            np.zeros(3),
            np.array(["csr"]),
            np.array(b"csr"),
            np.array(1j),
        ]
        arrays[name] = rng.choice(odd)
        if rng.random() < 0.3 and old.dtype.kind in "iu" and old.size > 2:
            arrays[name] = old + rng.choice([-(2**31), -1, 1, 2**40])
    return arrays


def sparse_case(rng: random.Random, damaged: Damage) -> list[str]:
    for restart in range(3):
        buffer = io.BytesIO()
        rng.choice([np.savez, np.savez_compressed])(buffer, **sparse_arrays(random.Random(rng.random()), restart))
        content = buffer.getvalue()
        Path(f"z{restart}.npz").write_bytes(damaged(content, rng) if rng.random() < 0.1 else content)
    more = rng.choice([["--ids-by-position"], ["--dimensions-first", "--ids-by-position"], []])
    return [*words([f"z{restart}.npz" for restart in range(3)], rng), *more]


def cells_case(rng: random.Random, damaged: Damage) -> list[str]:
    place = rng.choice(["layers/counts", "obsm/X_pca", "X"])
    for restart in range(2):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file["obs/_index"] = np.arange(N)
            file["obs"].attrs["_index"] = "_index"
            if rng.random() < 0.3:
                file[place] = np.random.default_rng(restart).normal(size=(N, D))
            else:
                arrays = sparse_arrays(random.Random(rng.random()), restart)
                group = file.create_group(place)
                group.attrs["encoding-type"] = rng.choice([*4 * ["csr_matrix", "csc_matrix"], "dataframe", ""])
                if rng.random() < 0.9:
                    group.attrs["shape"] = rng.choice([*6 * [(N, D)], (2**62, 2), (N,), (-1, 3), "x"])
                for name in set(arrays) & {"data", "indices", "indptr"}:
                    if arrays[name].dtype.kind != "U":
                        group[name] = arrays[name]
        content = buffer.getvalue()
        Path(f"z{restart}.h5ad").write_bytes(damaged(content, rng) if rng.random() < 0.2 else content)
    return [
        *words(["z0.h5ad", "z1.h5ad"], rng),
        *rng.choice([[], *4 * [["--obsm", place]], ["--obsm", "layers/"], ["--obsm", "obs/x"]]),
    ]


def folder_case(rng: random.Random, damaged: Damage) -> list[str]:
    names = rng.choice(
        [
            ["part-{}.parquet", "part-{}.parquet"],
            ["{}.parquet", "{}.npy"],
            ["fold={}/a.parquet", "fold={}/b.parquet"],
            ["seed={}/a.parquet", "seed={}/a.parquet"],
            ["a=1/b={}/part-0.parquet", "part-{}.parquet"],
            ["label={}/a.parquet", "label=%2F{}/a.parquet"],
            ["data-{:05}-of-00003.arrow", "data-{:05}-of-00003.arrow"],
            ["=/{}.parquet", "a=/{}.parquet"],
        ]
    )
    folders = ["a", "b.parquet"]
    for folder in folders:
        seed, spoilt = rng.random(), rng.random() < 0.3
        for place in range(3):
            path = Path(folder) / rng.choice(names).format(place)
            path.parent.mkdir(parents=True, exist_ok=True)
            table = lists_table(random.Random(seed + place * spoilt), place)
            content = written(table, path.suffix, rng)
            path.write_bytes(damaged(content, rng) if rng.random() < 0.1 else content)
        if rng.random() < 0.3:
            (Path(folder) / rng.choice(["_SUCCESS", "_metadata", ".hidden", "dataset_info.json"])).write_bytes(b"{}")
    if rng.random() < 0.1:
        (Path("a") / "loop=1").symlink_to("..", target_is_directory=True)
    return [*words(folders, rng), *rng.choice([[], ["--folder", "table"], ["--folder", "restarts"]])]


CASES = [
    lists_case,
    lists_case,
    lists_case,
    sparse_case,
    sparse_case,
    cells_case,
    cells_case,
    folder_case,
    folder_case,
    folder_case,
]
