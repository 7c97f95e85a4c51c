"""What every route has in common: who may call, limits, errors, cursors, metrics."""
