"""Using the page of a timeline in a browser."""

from __future__ import annotations

from typing import Any


def film(driver: Any, what: str = "inspect()", root: str = "section") -> Any:
    """What the film on the page answers."""
    return driver.execute_script(f"return document.querySelector({root!r}).film.{what}")


def text(driver: Any, selector: str) -> str:
    """Text of an element."""
    return str(driver.execute_script(f"return document.querySelector({selector!r}).textContent"))


def set_slider(driver: Any, step: int) -> None:
    """Move the slider as people do."""
    driver.execute_script(
        "const s = document.querySelector('.slide'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))", step
    )


def press(driver: Any, key: str, selector: str = "body") -> None:
    """Press a key while an element has the focus."""
    driver.execute_script(
        "document.querySelector(arguments[0]).dispatchEvent("
        "new KeyboardEvent('keydown', {key: arguments[1], bubbles: true, cancelable: true}))",
        selector,
        key,
    )
