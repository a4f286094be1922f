"""`stabaudit schema`: what the documents of `--format json` hold."""

import typer

from stabaudit.cli.output import OutputOption


def schema(output: OutputOption = None) -> None:
    """Print the JSON Schema of what --format json writes."""
    import json

    from stabaudit.json_schema.schema import json_schema

    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    from stabaudit.store.files.atomic import write_bytes

    write_bytes(output, text.encode())
