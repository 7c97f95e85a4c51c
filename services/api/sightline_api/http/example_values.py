"""Values that examples in the OpenAPI document share. The test suite sends every example to a gateway."""

IMAGE_ID = "047c4241-354e-521b-88e8-16c8f5f75518"
"""Of coffee.png, one of the sample pictures."""
IMAGE_SHA256 = "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"
JOB_ID = "01a20870d3c5596ca929871e"
PICTURE_BASE64 = "UklGRh4AAABXRUJQVlA4TBEAAAAvD8ADAAdQjyLXo/+BiOh/AAA="
"""A WebP of 16 x 16 red pixels."""
QUERY = "a cup of coffee"
STEERED_QUERY = 'cup "on a table" -"a person"'
FILTER_JSON = '{"field": "tags", "any": ["holiday", "beach"]}'
TREE_JSON = (
    '{"all": [{"field": "taken_at", "gte": "2024-01-01", "lte": "2024-12-31"}, '
    '{"not": {"field": "format", "eq": "gif"}}]}'
)
MIGRATION_ID = "8d3f1a6c90b7"
UPLOAD_ID = "0f3b5c7d9e1a2b4c6d8e0f1a3b5c7d9e"
KEY_ID = "5f0c1d9a7be2"
NAMED_COLLECTION = "holidays"
