"""Pictures on their way in, until a job has them."""
