"""`python -m sightline_local`: the `sightline` command."""

from sightline_local.main import main

if __name__ == "__main__":
    main()
