"""Screens whose keys come from the table of commands, with help and palette of their own place."""

from collections.abc import Mapping
from typing import ClassVar, TypeVar

from textual.screen import ModalScreen

from carerespond.ui.commands import apply_overrides, bound, by_name, key_label

T = TypeVar("T")


class KeyedScreen(ModalScreen[T]):
    """A modal screen that is a place of the table: its commands name its actions.

    Args:
        keys: The configuration's [keys].
    """

    PLACES: ClassVar[tuple[str, ...]] = ()

    def __init__(self, keys: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._bindings = bound(self._bindings, *self.PLACES, overrides=keys)
        self._table = apply_overrides(keys or {})

    def key(self, name: str) -> str:
        """The first key of a command, as people know it."""
        return key_label(by_name(name, self._table).keys[0])

    def action_help(self) -> None:
        """Show the keys of this screen."""
        from carerespond.ui.help import HelpScreen

        self.app.push_screen(HelpScreen(self.PLACES, self._table))

    def action_palette(self) -> None:
        """Choose one of this screen's commands by its name."""
        from carerespond.ui.palette import CommandScreen

        self.app.push_screen(CommandScreen(self.PLACES, self._table), self._run_chosen)

    async def _run_chosen(self, name: str | None) -> None:
        if name is not None:
            await self.run_action(by_name(name, self._table).action)
