"""A page of the report, read as a strict reader reads it."""

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "wbr", "img", "input", "hr"}
ADDRESSES = ("src", "href", "xlink:href", "srcset", "action", "data", "poster", "formaction")


class Page(HTMLParser):
    """What a page says and what it would fetch. AssertionError for a tag that is closed and not open."""

    def __init__(self, text=""):
        super().__init__()
        self.addresses, self.titles, self.tags, self.handlers = [], [], [], []
        self.open, self.text, self.cells, self.models = [], "", [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for key, value in attrs if key in ADDRESSES and value]
        self.handlers += [key for key, _ in attrs if key.startswith("on")]
        self.models += [value for key, value in attrs if key == "data-of"]
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text += data
        if self.open and self.open[-1] == "title":
            self.titles.append(data)
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()
