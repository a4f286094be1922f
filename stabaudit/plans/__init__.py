"""Built-in audit plans, a TOML file each."""
