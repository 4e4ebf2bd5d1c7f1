"""python -m herbdemo …"""

from herbdemo.cli import main

if __name__ == "__main__":
    main()
