"""Writes docs/configuration.md from the settings classes: python docs/make_configuration.py."""

from pathlib import Path

from adapters.modes import settings_classes
from adapters.variables import variables_of

HEAD = """# Configuration

Every variable that the platform reads. `emp config check` says which are missing or wrong,
`emp config variables` prints this list, `--env-file FILE` and `--extra NAME=VALUE` set them for one
command. Switches take 1, true, yes, on and 0, false, no, off. Of several names of one setting the
first goes before the others. This page is written by `python docs/make_configuration.py`.
"""
OTHERS = """
## Read by others

| variable | who reads it |
|---|---|
| `DAGSTER_HOME` | Dagster: folder of its records; without it dagster/ below the data folder |
"""


def main() -> None:
    """Write the page."""
    lines = [HEAD]
    for kind in settings_classes():
        title = kind.model_config.get("title") or "EMP_*"
        lines.append(f"\n## {title}\n\n| variable | default | meaning |\n|---|---|---|\n")
        for v in variables_of(kind):
            names = ", ".join(f"`{name}`" for name in v.names)
            default = f"`{v.default}`" if v.default and "/" not in v.default else v.default
            if default.startswith("/"):
                default = f"{Path(default).name}/ in the repository"
            secret = " Never shown." if v.secret else ""
            meaning = v.meaning.replace("|", "/")
            lines.append(f"| {names} | {default} | {meaning}{secret} |\n")
    lines.append(OTHERS)
    Path(__file__).with_name("configuration.md").write_text("".join(lines))


if __name__ == "__main__":
    main()
