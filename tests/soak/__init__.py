"""Random jobs under random faults, on an engine of its own: nothing is lost, doubled or left over.

`python -m tests.soak --minutes 5 --seed 7`. The seed fixes each job and each fault, one after the other; how
many of them there are in the time, and what is just going on when a fault strikes, is the machine's.
"""
