"""`python -m warren.frontends.cli`: the same as `warren`."""

from __future__ import annotations

from warren.frontends.cli.main import main

if __name__ == "__main__":
    main()
