"""What is measured of a stored model for `stabaudit.theory` to judge."""
