"""How long a guest has had to wait for a CPU of the machine it runs on, as the machine's kernel counts it."""

import os
from pathlib import Path


class Starvation:
    """Of the guest in a lab's state folder. What ended between two looks is left out."""

    def __init__(self, state):
        self._state = Path(state)
        self._seen = {}  # task -> ns at the last look
        self._total = 0

    def milliseconds(self):
        """Since the guest's tasks began; never less than before."""
        group = int((self._state / "uml" / "guest" / "pid").read_text(encoding="ascii"))
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.getpgid(int(folder.name)) == group:
                    for task in folder.glob("task/*"):
                        self._note(task.name, int((task / "schedstat").read_text(encoding="ascii").split()[1]))
            except (OSError, IndexError):
                pass  # it has ended meanwhile
        return self._total / 1e6

    def _note(self, task, now):
        before = self._seen.get(task, 0)
        self._total += now - before if now >= before else now
        self._seen[task] = now
