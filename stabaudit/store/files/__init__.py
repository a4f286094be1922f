"""Files: whole or not there, and each format that is read or written."""
