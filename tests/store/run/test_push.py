"""Runs in an object store: pushed, read in place, and cut off on the way."""

import contextlib
import http.client
import re
import shutil
import socket
import socketserver
import threading
from pathlib import Path

import numpy as np
import pytest

from stabaudit.cli.main import _run
from stabaudit.errors import BadRun, UsageError
from stabaudit.store.files import mirror
from stabaudit.store.files.atomic import sha256
from stabaudit.store.run.evaluation import Evaluation
from stabaudit.store.run.find import find_runs
from stabaudit.store.run.manifest import Restart
from stabaudit.store.run.push import push
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import verify

moto = pytest.importorskip("moto.server")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # moto's own


class Proxy(socketserver.BaseRequestHandler):
    """Hands bytes on between a client and the store; strikes the upload of one file as the test says."""

    target, fault, struck = 0, None, []

    def handle(self):
        with socket.create_connection(("127.0.0.1", Proxy.target)) as store:
            threading.Thread(target=self._answers, args=(store,), daemon=True).start()
            meant = False
            with contextlib.suppress(OSError):
                while data := self.request.recv(65536):
                    heads = re.findall(rb"(?:PUT|GET|HEAD|POST|DELETE) /[^ ]*", data)
                    if heads:
                        meant = bool(re.match(rb"P[A-Z]+ /[^ ]*latents/restart-001", heads[-1]))
                    if meant and Proxy.fault is not None:
                        Proxy.struck.append(heads)
                        if Proxy.fault == "refuse":
                            self.request.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                        if Proxy.fault != "flip":
                            return
                        data = data.replace(b"PAR1", b"PAR2")
                    store.sendall(data)

    def _answers(self, store):
        with contextlib.suppress(OSError):
            while data := store.recv(65536):
                self.request.sendall(data)


class Proxies(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def server():
    store = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    Proxy.target = store.get_host_and_port()[1]
    proxy = Proxies(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{proxy.server_address[1]}"
    proxy.shutdown()
    proxy.server_close()
    store.stop()


@pytest.fixture
def bucket(server, monkeypatch, request):
    """A fresh bucket, by name."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[-60:].strip("-")
    for key, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(key, value)
    mirror._system_of.cache_clear()
    mirror._mirrored.cache_clear()
    connection = http.client.HTTPConnection("127.0.0.1", Proxy.target)
    signed = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request"
    connection.request("PUT", f"/{name}", headers={"Authorization": signed})
    assert connection.getresponse().status == 200
    Proxy.fault, Proxy.struck = None, []
    yield name
    Proxy.fault = None


def objects(address):
    return set(mirror.Address.of(address).sizes() or {})


def test_a_pushed_run_is_read_in_place(folder, bucket, capfd, tmp_path, monkeypatch):
    address = f"s3://{bucket}/team/small"
    assert push(folder, address) == 10  # three files of each restart, and the manifest
    assert push(folder, address) == 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        assert mirror.Address.of(f"{address}/{path.relative_to(folder)}").sha256() == sha256(path)
    (run,) = find_runs([Path(f"s3://{bucket}")])
    assert run.name == "small"
    assert run.latents(1).mean.tolist() == Run.open(folder).latents(1).mean.tolist()
    fetched = {path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*") if path.is_file()}
    assert fetched == {"run.json", "latents/restart-001.parquet"}  # and nothing that was not asked for
    monkeypatch.chdir(tmp_path)
    for command in ("compare", "report", "show", "verify", "dimensions"):
        assert _run([command, address, *(["--floor-draws", "1"] if command in {"compare", "report"} else [])]) == 0
        out, err = capfd.readouterr()
        assert "stabaudit-" not in out + err  # where it is mirrored is nobody's business
    assert _run(["check", address, "--require", "strong_mcc>=0.99"]) == 1
    capfd.readouterr()
    assert _run(["compare", f"{address}#0", str(folder / "latents" / "restart-001.parquet"), "--floor-draws", "1"]) == 0
    assert verify(run) == []


@pytest.mark.parametrize("fault", ["cut", "refuse", "flip"])
def test_a_fault_in_an_upload_leaves_no_run_and_the_same_call_goes_on(folder, bucket, fault):
    address = f"s3://{bucket}/a"
    Proxy.fault = fault
    with pytest.raises(BadRun, match=r"cannot write s3://.*restart-001|restart-001.parquet did not read back as it was written"):
        push(folder, address)
    assert Proxy.struck
    assert objects(address)  # what came before is there
    assert "run.json" not in objects(address)
    assert "latents/restart-001.parquet" not in objects(address)
    with pytest.raises(BadRun, match="no runs here or below"):
        Run.open(Path(address))
    Proxy.fault = None
    push(folder, address)
    mirror._mirrored.cache_clear()
    assert verify(Run.open(Path(address))) == []


def test_another_run_is_not_written_over(folder, bucket, tmp_path, manifest, finish_restart):
    address = f"s3://{bucket}/a"
    push(folder, address)
    with Run.prepare(tmp_path / "other", manifest().model_copy(update={"created": "2026-02-02T00:00:00Z"})) as other:
        with pytest.raises(BadRun, match="none of its restarts is done"):
            push(tmp_path / "other", address)
        finish_restart(other, 0)
        with pytest.raises(BadRun, match="is being written"):
            push(tmp_path / "other", address)
    with pytest.raises(BadRun, match="holds another run, made 2026-01-01"):
        push(tmp_path / "other", address)
    push(folder, f"s3://{bucket}/team/a")
    with pytest.raises(BadRun, match=r"is no run and not empty: it holds a/"):
        push(folder, f"s3://{bucket}/team")
    (folder / "latents" / "restart-000.parquet").write_bytes(b"")
    with pytest.raises(BadRun, match=r"restart-000\.parquet is not the file that was recorded"):
        push(folder, f"s3://{bucket}/b")


def test_a_run_that_goes_on_is_pushed_again_and_more_of_it_is_not_written_over(folder, bucket, tmp_path, finish_restart):
    address = f"s3://{bucket}/a"
    few, manifest = tmp_path / "few" / "small", Run.open(folder).manifest
    fresh = [Restart(index=restart.index, seed=restart.seed) for restart in manifest.restarts]
    with Run.prepare(few, manifest.model_copy(update={"restarts": fresh})) as run:
        finish_restart(run, 0)
        assert run.done == [0]
    assert push(few, address) == 4
    assert push(folder, address) == 7  # six files of two restarts, and the manifest, which has changed
    with pytest.raises(BadRun, match="holds more of this run than is here; nothing is uploaded"):
        push(few, address)
    store = mirror.Address.of(address) / "latents/restart-000.parquet"
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"1" * store.sizes()[""])
    store.put(damaged)
    assert push(folder, address) == 1
    assert verify(Run.open(Path(address))) == []


def test_what_an_address_mirrors_is_said_and_a_file_that_could_not_be_fetched_is_asked_for_again(folder, bucket, tmp_path):
    address = f"s3://{bucket}/team/small"
    push(folder, address)
    here = mirror.local(address)
    assert mirror.address_of(here) == address
    assert mirror.address_of(here / "run.json") == f"{address}/run.json"
    latents = here / "latents" / "restart-000.parquet"
    store = mirror.Address.of(f"{address}/latents/restart-000.parquet")
    store.delete()
    for _ in range(2):
        with pytest.raises(BadRun, match=r"cannot read s3://.*restart-000\.parquet"):
            mirror.present(latents)
    store.put(folder / "latents" / "restart-000.parquet")
    assert mirror.present(latents).read_bytes() == (folder / "latents" / "restart-000.parquet").read_bytes()
    other = mirror.local(f"s3://{bucket}/team")
    mirror.all_present(other)
    assert (other / "small" / "weights" / "restart-002.safetensors").exists()
    assert not (here / "weights" / "restart-002.safetensors").exists()
    file = mirror.local(f"{address}/latents/restart-001.parquet")
    assert file.read_bytes() == (folder / "latents" / "restart-001.parquet").read_bytes()
    assert mirror.address_of(file) == f"{address}/latents/restart-001.parquet"


def test_what_cannot_be_is_refused_in_one_line(folder, bucket, capfd, tmp_path):
    with Run.prepare(folder, Run.open(folder).manifest) as run:
        run.save_evaluation(Evaluation(np.arange(100, 130)))  # which parts need
    part = str(shutil.copytree(folder, tmp_path / "part"))
    for words, said in (
        (["push", str(folder), "here"], "expected an address such as s3://bucket/runs/small"),
        (["compare", f"s3://{bucket}/absent"], "nothing is there; check the address"),
        (["train", "vae", "--steps", "1", "--out", f"s3://{bucket}/a"], "nothing is trained into an object store"),
        (["merge", str(folder), part, "--out", f"s3://{bucket}/a"], "nothing is trained into an object store"),
    ):
        assert _run(words) == 2
        err = capfd.readouterr().err
        assert said in err
        assert "internal error" not in err
    with pytest.raises(UsageError):
        push(folder, "s3://bucket")


def test_a_store_that_does_not_answer_is_one_line(bucket, monkeypatch, capfd):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    mirror._system_of.cache_clear()
    assert _run(["show", f"s3://{bucket}/a"]) == 2
    assert capfd.readouterr().err.startswith(f"stabaudit: error: cannot read s3://{bucket}/a: ")
