"""East wing: statistics over restarts and configurations, as pure functions on numbers."""
