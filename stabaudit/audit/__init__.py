"""Audits: what a plan trains and what it then compares. The only part that sees both wings."""
