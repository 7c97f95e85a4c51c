"""The search engine of Sightline as a library: it knows no HTTP and no worker."""
