"""Each attack of a day of attempts, in its smallest form, and what is right instead."""
