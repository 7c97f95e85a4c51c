"""What Sightline promises about speed, runnable: `python -m bench.NAME`."""
