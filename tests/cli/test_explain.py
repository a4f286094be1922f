"""`stabaudit explain`: reference texts, whole and by name."""

import re

import pytest

from stabaudit.cli.main import _run
from stabaudit.reports.column_heads import HEADS
from stabaudit.topics import TOPICS, text_of

MADE = {"columns", "validity"}  # from tables


def test_every_topic_is_printed_as_it_is_kept(capsys):
    for topic in TOPICS:
        assert _run(["explain", topic]) == 0
        out = capsys.readouterr().out
        assert len(out.splitlines()) > 5
        assert topic in MADE or out == f"{text_of(topic)}\n"


def test_without_a_topic_the_topics_are_listed(capsys):
    assert _run(["explain"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(TOPICS)


def test_the_heads_of_tables_are_all_there(capsys):
    assert _run(["explain", "columns"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{head} " in out for head in HEADS)


def test_an_unknown_topic_names_the_nearest(capsys):
    assert _run(["explain", "flors"]) == 2
    assert capsys.readouterr().err == "stabaudit: error: unknown topic 'flors'; did you mean 'floors'?\n"


@pytest.mark.parametrize(
    ("word", "topic"), [("axis", "verdicts"), ("strong_mcc", "scores"), ("chance", "floors"), ("exit", "exit-codes")]
)
def test_words_lead_to_their_topic(word, topic, capsys):
    assert _run(["explain", word]) == 0
    assert capsys.readouterr().out.rstrip() == text_of(topic)


@pytest.mark.parametrize("topic", TOPICS)
def test_topics_that_are_referred_to_exist(topic):
    if topic not in MADE:
        assert set(re.findall(r"explain ([a-z-]+)", text_of(topic))) <= set(TOPICS)
