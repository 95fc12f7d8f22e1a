"""FRR as top-of-rack router: external and internal BGP, ECMP with real traffic, restarts without losing a request.

The story is that of tor_story.py.
"""

from tor_story import DRAIN_WAIT, tell

OPTIONS = DRAIN_WAIT


def run(cluster):
    tell(cluster, "frr")
