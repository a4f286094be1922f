"""East wing: typed results as terminal tables, JSON, CSV and Markdown."""
