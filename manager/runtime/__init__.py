"""The loop and those who work for it: facts in, actions out."""
