"""The page for everybody: who reads in light or dark, on a small screen, by ear, by keyboard, or without motion."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect


def explain_first(page: Page) -> None:
    """Open the first explanation."""
    page.locator(".take").first.click()
    page.locator(".explain").first.click()


def replay_all(page: Page) -> None:
    """Feed a user's whole history."""
    page.get_by_role("button", name="All at once").press("Enter")


SHOWN: dict[str, Callable[[Page], object]] = {
    "start": lambda page: None,
    "explained": explain_first,
    "search": lambda page: page.get_by_role("combobox", name="Search").fill("item"),
    "replay": replay_all,
}
"""Ways that the page may look."""

CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => colour.slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (one) => {
    const colour = rgba(getComputedStyle(one).backgroundColor);
    return colour[3] === 255 ? colour : behind(one.parentElement);
  };
  return [...document.body.querySelectorAll("*")].filter((one) => {
    const hasText = [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!hasText || !one.checkVisibility() || one.closest("noscript, .unseen, option")) return false;
    const both = [rgba(getComputedStyle(one).color), behind(one)].map(luminance).sort((a, b) => a - b);
    return (both[1] + 0.05) / (both[0] + 0.05) < 4.5;
  }).map((one) => `${one.className}: ${one.textContent}`);
}"""
"""Texts whose contrast (WCAG 2, 1.4.3) is below 4.5."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(two: str, visit: Callable[..., Page], scheme: str) -> None:
    page = visit(two, color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(paper) < 64 if scheme == "dark" else min(paper) > 192
    for show in SHOWN.values():
        show(page)
        page.wait_for_timeout(300)
        assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_overflows(two: str, visit: Callable[..., Page], width: int) -> None:
    page = visit(two, viewport={"width": width, "height": 800})
    for show in SHOWN.values():
        show(page)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("shown", SHOWN)
def test_every_control_has_a_name_and_every_id_is_one(two: str, visit: Callable[..., Page], shown: str) -> None:
    page = visit(two)
    SHOWN[shown](page)
    page.wait_for_timeout(300)
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    named = {"button", "combobox", "textbox", "checkbox", "link", "option", "listbox", "region", "heading"}
    nodes = [node for node in tree if not node["ignored"] and node["role"]["value"] in named]
    assert len(nodes) > 20
    assert [node["role"]["value"] for node in nodes if not node["name"]["value"].strip()] == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    pointing = ["aria-labelledby", "aria-controls", "aria-describedby", "for"]
    for name in pointing:
        assert set(
            page.evaluate(f"[...document.querySelectorAll('[{name}]')].map((one) => one.getAttribute('{name}'))")
        ) <= set(ids)


def test_headings_and_landmarks_are_in_order(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two)
    SHOWN["explained"](page)
    expect(page.locator("h4").first).to_be_visible()
    levels = page.evaluate(
        """[...document.querySelectorAll("h1, h2, h3, h4")].filter((one) => one.checkVisibility())
            .map((one) => Number(one.tagName[1]))"""
    )
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in zip([0, *levels], levels, strict=False))
    for role in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    assert page.locator("html").get_attribute("lang") == "en"


def test_whoever_wants_no_motion_has_none(two: str, visit: Callable[..., Page]) -> None:
    moving = """[getComputedStyle(document.querySelector(".column")).animationName,
        getComputedStyle(document.querySelector("#columns")).transitionDuration]"""
    for wish, motion in (("no-preference", ["arrive", "0.16s"]), ("reduce", ["none", "0s"])):
        page = visit(two, reduced_motion=wish)
        assert page.evaluate(moving) == motion
