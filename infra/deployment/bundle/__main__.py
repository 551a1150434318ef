"""`python -m deployment.bundle`: build the archive by itself."""

from deployment.bundle import main

main()
