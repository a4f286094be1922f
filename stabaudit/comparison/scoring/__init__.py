"""From rows to scores with floors and intervals."""
