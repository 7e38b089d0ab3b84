"""`python -m affiant`: the command line."""

import sys

from affiant.app import main

sys.exit(main())
