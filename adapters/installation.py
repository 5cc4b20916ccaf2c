"""Which installation this is: a name that stays with its folder of data.

What belongs here: the name, made when somebody asks for it first. What does not: what it is used
for, settings.

Paths and host names do not tell installations apart that run in containers and share a disk.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress

from adapters.disk import writing_to
from adapters.settings import Settings

_FILE = "installation-id"


def installation_of(settings: Settings) -> str:
    """32 hexadecimal digits that the folder of data of an installation keeps.

    A copy of the folder is the same installation until that file is removed from it.

    Args:
        settings: of the installation.

    Raises:
        StorageError: the disk takes no more.
    """
    folder = settings.data_dir.resolve()
    file = folder / _FILE
    with writing_to(folder):
        if not (file.exists() and file.read_text().strip()):
            folder.mkdir(parents=True, exist_ok=True)
            draft = folder / f".{_FILE}.{os.getpid()}"
            draft.write_text(uuid.uuid4().hex + "\n")
            # Of two that make it at once, the first one's stays.
            with suppress(FileExistsError):
                os.link(draft, file)
            draft.unlink()
        return file.read_text().strip()
