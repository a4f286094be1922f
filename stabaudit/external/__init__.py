"""Restarts trained by a program of the user's; needs no torch."""
