"""What a command does, as functions with plain results; the CLI and the Python API call the same ones."""
