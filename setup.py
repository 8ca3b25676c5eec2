"""The package's description: the README without what leads nowhere outside the repository. See pyproject.toml."""

import re
from pathlib import Path

from setuptools import setup

README = Path(__file__).parent / "README.md"
PICTURE = re.compile(r"^!\[[^\]]*\]\((?!https?://)[^)]*\)\n+", re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\((?!https?://)[^)]*\)")


def description() -> str:
    """The README as text whose pictures and relative links are gone, the words of the links kept."""
    return LINK.sub(r"\1", PICTURE.sub("", README.read_text("utf-8")))


setup(long_description=description(), long_description_content_type="text/markdown")
