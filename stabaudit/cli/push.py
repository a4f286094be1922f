"""`stabaudit push RUN ADDRESS`: a run goes to an object store, where other commands read it in place."""

from pathlib import Path
from typing import Annotated

import typer

from stabaudit.cli.output import message
from stabaudit.errors import counted


def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where it goes: s3://bucket/runs/a, or gs://….")],
) -> None:
    """Upload a run to an object store, each file read back and compared.

    compare, report, check, show, verify and others then take the address for the folder. Credentials, region and endpoint are
    those of the environment (AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL, …).
    """
    from stabaudit.store.files.atomic import shown
    from stabaudit.store.run.push import push as push_run

    uploaded = push_run(run, address)
    message(f"{shown(run)} is in {address}: {counted(uploaded, 'file')} uploaded and read back")
    message(f"next: stabaudit compare {address}")
