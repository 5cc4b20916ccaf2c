"""Entry point of `python3 docker/services`: makes the folder importable and hands over to cli.

What belongs here: the import path. What does not: anything else.
"""

import sys
from pathlib import Path

# Python put this folder first on the path, where its modules would hide packages of their name.
sys.path[0] = str(Path(__file__).resolve().parents[1])

if __name__ == "__main__":
    from services.cli import main

    sys.exit(main())
