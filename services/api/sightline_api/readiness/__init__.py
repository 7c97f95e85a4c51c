"""Whether the service can serve, and of everything it depends on what is wrong with it and what to do."""
