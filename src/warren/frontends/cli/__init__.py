"""The command line: `warren COMMAND`. Thin: it asks the running node over the local API."""
