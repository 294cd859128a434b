"""What makes a process a daemon: whose home it is, that it is alone, alive, and has room."""
