"""HTTP routes: each parses, calls one function and answers."""
