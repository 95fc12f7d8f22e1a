"""A statement with co_await has no braces-initialised object, no lambda that captures by value, no ?:.

GCC 12 destroys such temporaries twice. This check reads text, takes a second, and is stricter than the
compiler's fault; coroutines_ast asks clang for the exact shapes.

C++ is cut into statements as a reader would: a brace after `)`, `]`, `else`, ... opens a block, every
other one initialises an object and stays part of its statement; so does what follows a lambda's body.
"""
import re

from tree import code_only, line_of

_TOKEN = re.compile(r"[A-Za-z_]\w*|->|::|\d[\w.']*|\S")
_DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
_OPENS_BLOCK = {None, ")", "]", "{", "}", ";", ":", "else", "do", "try", "const", "noexcept", "override",
                "final", "mutable", "requires"}
_HEADS = {"namespace", "struct", "class", "enum", "union", "extern"}
# A `[` after one of these starts a lambda; after a name, `)` or `]` it indexes.
_BEFORE_LAMBDA = {None, "(", ",", "=", "{", "}", ";", "return", "co_return", "co_await", "co_yield", ":", "?",
                  "&", "|", "!"}


class _Statement:
    def __init__(self):
        self.tokens = []   # (text, offset)
        self.braces = 0    # objects initialised by braces
        self.lambdas = 0   # lambdas that capture a variable by value
        self.ternaries = 0

    def awaits(self):
        return next((offset for text, offset in self.tokens if text == "co_await"), None)

    def last(self):
        return self.tokens[-1][0] if self.tokens else None

    def complaints(self):
        if self.braces:
            yield "braces-initialised object"
        if self.lambdas:
            yield "lambda that captures by value"
        if self.ternaries:
            yield "?:"


def _by_value(captures):
    """Whether a capture list copies a variable; `this` is only a pointer."""
    items = [c.strip() for c in "".join(captures).split(",")]
    return any(c and not c.startswith("&") and c not in ("this", "*this") for c in items)


class _Reader:
    def __init__(self, text):
        self.tokens = [(m.group(), m.start()) for m in _TOKEN.finditer(text)]
        self.at = 0
        self.done = []

    def peek(self, ahead=0):
        index = self.at + ahead
        return self.tokens[index][0] if index < len(self.tokens) else None

    def block(self):
        """Statements up to the closing brace of the block, or to the end of the file."""
        statement = _Statement()
        while self.at < len(self.tokens):
            text, _ = self.tokens[self.at]
            if text == "}":
                self.at += 1
                break
            if text == ";":
                self.at += 1
                self.done.append(statement)
                statement = _Statement()
            elif text == "{" and self._is_block(statement):
                self.at += 1
                self.done.append(statement)
                statement = _Statement()
                self.block()
            else:
                self._part(statement)
        self.done.append(statement)

    def _is_block(self, statement):
        words = [text for text, _ in statement.tokens]
        if statement.last() in _OPENS_BLOCK or _HEADS & set(words[:3]):
            return True
        return "->" in words and "=" not in words and ")" in words and "co_await" not in words

    def _part(self, statement):
        """One token of a statement, or a whole bracket with what is in it."""
        text, _ = self.tokens[self.at]
        if text == "(":
            self._until(")", statement)
        elif text == "{":
            statement.braces += 1
            self._until("}", statement)
        elif text == "[" and self.peek(1) != "[" and statement.last() in _BEFORE_LAMBDA:
            self._lambda(statement)
        else:
            statement.ternaries += text == "?"
            statement.tokens.append(self.tokens[self.at])
            self.at += 1

    def _until(self, close, statement):
        statement.tokens.append(self.tokens[self.at])
        self.at += 1
        while self.at < len(self.tokens) and self.peek() != close:
            self._part(statement)
        if self.at < len(self.tokens):
            statement.tokens.append(self.tokens[self.at])
            self.at += 1

    def _lambda(self, statement):
        """A lambda: its captures count for the statement, its body is judged on its own."""
        self.at += 1
        captures = []
        while self.at < len(self.tokens) and self.peek() != "]":
            captures.append(self.peek())
            self.at += 1
        self.at += 1
        statement.lambdas += _by_value(captures)
        if self.peek() == "(":
            self._until(")", _Statement())
        returns = False  # after `->` a comma is part of the type
        while self.peek() not in ("{", ";", ")", None) and (returns or self.peek() != ","):
            returns = returns or self.peek() == "->"
            self.at += 1
        if self.peek() == "{":
            self.at += 1
            self.block()
        statement.tokens.append(("lambda", 0))


def findings(text):
    """(offset, complaint) for every statement in `text` that breaks the rule."""
    clean = _DIRECTIVE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), code_only(text))
    reader = _Reader(clean)
    while reader.at < len(reader.tokens):
        reader.block()
    for statement in reader.done:
        offset = statement.awaits()
        if offset is not None:
            for complaint in statement.complaints():
                yield offset, complaint


def check(tree):
    for path in tree.cpp():
        text = tree.text(path)
        if "co_await" not in text:
            continue
        for offset, complaint in sorted(findings(text)):
            yield f"{path}:{line_of(text, offset)}: {complaint} beside co_await; name it in a statement before"
