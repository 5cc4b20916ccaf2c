"""`python -m emp`: the command line."""

from emp.cli import main

main()
