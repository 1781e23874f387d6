"""`python -m starter` is the `topup` command."""

from starter.cli import main

if __name__ == "__main__":
    main()
