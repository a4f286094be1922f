"""Many runs, families and reported numbers."""
