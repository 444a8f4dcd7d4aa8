import sys

from llmops_site.running import up

sys.exit(up.main())
