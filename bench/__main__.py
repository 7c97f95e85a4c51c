"""`python -m bench`: every benchmark that needs nothing but this repository."""

from bench import event_loop

event_loop.main()
