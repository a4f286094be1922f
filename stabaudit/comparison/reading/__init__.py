"""From what a user names to joined rows."""
