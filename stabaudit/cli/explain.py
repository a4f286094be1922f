"""`stabaudit explain TOPIC`: reference texts in the terminal."""

from typing import Annotated

import typer

from stabaudit.cli.output import page_text


def explain(
    topic: Annotated[str | None, typer.Argument(metavar="[TOPIC]", help="Left out: the topics.")] = None,
) -> None:
    """Explain a topic in words: scores, floors, verdicts, intervals, gates, the run folder and more."""
    from stabaudit.topics import TOPICS, text_of

    if topic is None:
        wide = max(map(len, TOPICS))
        page_text("\n".join(f"{name:<{wide}}  {said}" for name, said in TOPICS.items()))
    elif topic == "columns":
        from stabaudit.reports.column_heads import HEADS

        wide = max(map(len, HEADS))
        page_text("Column heads of tables\n\n" + "\n".join(f"{head:<{wide}}  {said}" for head, said in HEADS.items()))
    elif topic == "validity":
        from stabaudit.published.validity import validity_text

        page_text(validity_text())
    else:
        from stabaudit.metrics.scores import registered

        names = {name.lower() for one in registered() for name in (one.name, one.label)}
        page_text(text_of("scores" if topic.lower() in names else topic))
