"""The typed filter tree of the API; each adapter translates it once.

A condition names a payload field (`tags`, `taken_at`, `metadata.sku`, …):

    {"field": "tags", "any": ["holiday", "beach"]}      has one of these values
    {"field": "format", "eq": "jpeg"}                   equals (for a list: contains)
    {"field": "taken_at", "gte": "2024-01-01", "lte": …} lies in a range, ends included

and conditions combine as {"all": […]} and {"not": …}. An empty `all` matches everything.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

Scalar = bool | int | float | str
MAX_DEPTH = 8
MAX_CONDITIONS = 64
