"""What `warren shell` is made of: lines taken apart, a prompt with history and completion, WAIT."""
