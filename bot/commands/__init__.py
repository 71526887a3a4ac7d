"""What people may say: one table of commands for every platform, and the desk where they are answered."""

from bot.commands.dispatch import make_desk
from bot.commands.request import Office
from bot.commands.table import Command, Option
from bot.commands.verbs import COMMANDS

__all__ = ["COMMANDS", "Command", "Office", "Option", "make_desk"]
