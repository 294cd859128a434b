"""The daemon that watches a jobs folder and runs every task in a container of its own."""
