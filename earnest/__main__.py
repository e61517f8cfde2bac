"""Makes `python -m earnest` the same as `earnest`, also in a checkout that was moved."""

import sys

from earnest.starting import main

sys.exit(main())
