"""The commands, a module for each group that belongs together; `main.COMMANDS` says where each one is."""
