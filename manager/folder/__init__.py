"""The home folder: what is read from it becomes facts, what is decided is written into it."""
