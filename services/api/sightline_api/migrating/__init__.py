"""Migrations of collections to another model, precision or quantization."""
