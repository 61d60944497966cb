"""E-mail: messages of Outlook and Apple Mail become EML (`tools.normalise.rewriting`)."""

from tools.normalise.programs import schema
from tools.normalise.text import Rewriter

ADAPTER = Rewriter(name="mail", recipes={"emlx": schema(), "msg": schema()})
