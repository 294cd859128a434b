"""Stands between the manager and the engine, and lets through what the manager of one home has to ask.

Whoever has the engine's socket is root on its machine. With this in between, a manager that was taken over
can still do what a manager does, to the containers of its own home, and nothing else.
"""
