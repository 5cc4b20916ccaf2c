"""Writes docs/configuration.md from the settings classes: python docs/make_configuration.py."""

from pathlib import Path

from adapters.modes import settings_classes
from adapters.other_variables import OTHERS
from adapters.variables import variables_of

HEAD = """# Configuration

Every variable that the platform reads. `emp config check` says which are missing or wrong,
`emp config variables` prints this list, `--env-file FILE` and `--extra NAME=VALUE` set them for one
command. Switches take 1, true, yes, on and 0, false, no, off. Of several names of one setting the
first goes before the others. This page is written by `python docs/make_configuration.py`.
"""
OTHERS_HEAD = """
## Read by others

| variable | who reads it, and for what |
|---|---|
"""


def page() -> str:
    """The text of the page."""
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
    lines.append(OTHERS_HEAD)
    lines += [f"| `{name}` | {meaning} |\n" for name, meaning in OTHERS.items()]
    return "".join(lines)


def main() -> None:
    """Write the page."""
    Path(__file__).with_name("configuration.md").write_text(page())


if __name__ == "__main__":
    main()
