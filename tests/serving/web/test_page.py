"""The page in a real browser: it shows what the server answers, by mouse and by keyboard, and asks nobody else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Error, Page, Route, expect

from gsrec.bundle import load_bundle, save_bundle
from gsrec.serving.keys import new_key
from gsrec.serving.settings import Settings

NIGHT, GLASS, WINTER = "The Night Garden (1951)", "Garden of Glass (1960)", "Winter Harbour (1999)"
HOSTILE = "<img src=x onerror=\"document.title='taken'\"> & <b>bold</b>"
LARGE = str(2**60 + 1)
MODELS = ["small-gsrec", "popularity"]
POPULAR = "The most popular items"
MINUS = "\N{MINUS SIGN}"
Serving = Callable[[Settings], AbstractContextManager[str]]


def settle(page: Page) -> None:
    """Wait until the lists are those of the history."""
    expect(page.locator("#columns[aria-busy=false] .column").first).to_be_visible()


def pick(page: Page, query: str) -> None:
    """Add the first item that a search finds."""
    page.get_by_role("combobox", name="Search").fill(query)
    page.keyboard.press("Enter")
    expect(page.locator("#search")).to_have_value("")
    settle(page)


def names(page: Page, column: int = 0) -> list[str]:
    """What a column lists."""
    settle(page)
    shown = page.locator(".column").nth(column).locator(".take .name").all_text_contents()
    return [name.removeprefix("Take ") for name in shown]


def answer(address: str, history: list[int], **asked: Any) -> list[dict[str, Any]]:
    """What the server recommends."""
    items: list[dict[str, Any]] = httpx.post(f"{address}/v1/recommend", json={"history": history, **asked}).json()[
        "items"
    ]
    return items


def titles(items: list[dict[str, Any]]) -> list[str]:
    return [item["title"] for item in items]


def found(address: str, title: str) -> int:
    """The id of the item of a title."""
    items = httpx.get(f"{address}/v1/items", params={"query": title}).json()["items"]
    return int(next(item["item_id"] for item in items if item["title"] == title))


def test_an_item_is_found_and_picked_by_keyboard(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two)
    search, options = page.get_by_role("combobox", name="Search"), page.get_by_role("listbox").get_by_role("option")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip")).to_be_focused()
    page.keyboard.press("Tab")
    expect(search).to_be_focused()
    page.keyboard.type("gard")
    expect(options).to_have_count(2)
    expect(page.get_by_role("status")).to_have_text("2 items found")
    expect(search).to_have_attribute("aria-expanded", "true")
    shown = options.locator("span:first-child").all_text_contents()
    assert set(shown) == {NIGHT, GLASS}
    for key, place in (("ArrowDown", 1), ("ArrowDown", 0), ("ArrowUp", 1)):
        page.keyboard.press(key)
        expect(options.nth(place)).to_have_attribute("aria-selected", "true")
        assert search.get_attribute("aria-activedescendant") == options.nth(place).get_attribute("id")
    page.keyboard.press("Enter")
    expect(page.locator("#history .name")).to_have_text([shown[1]])
    expect(search).to_be_focused()
    expect(search).to_have_value("")


def test_escape_closes_then_empties_and_the_arrow_shows_everything(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two)
    search, options = page.get_by_role("combobox", name="Search"), page.get_by_role("listbox").get_by_role("option")
    search.focus()
    page.keyboard.type("win")
    expect(options).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("#found")).to_be_hidden()
    expect(search).to_have_attribute("aria-expanded", "false")
    expect(search).to_have_value("win")
    page.keyboard.press("Escape")
    expect(search).to_have_value("")
    page.keyboard.press("ArrowDown")  # the most popular first
    expect(options).to_have_count(20)
    expect(page.get_by_role("status")).to_have_text("The first 20 items found")
    page.keyboard.type("zzz")
    expect(page.get_by_role("status")).to_have_text("No items found")
    expect(options).to_have_text(["Nothing is found: try a part of a title, or an id."])


def test_taking_a_recommendation_changes_what_comes_next(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two)
    before = names(page)
    assert before == titles(answer(two, []))
    expect(page.locator(".column").first).to_contain_text(POPULAR)
    page.locator(".take").nth(2).click()
    expect(page.locator("#history .name")).to_have_text([before[2]])
    expect(page.locator(".column").first).not_to_contain_text(POPULAR)
    after = names(page)
    assert after == titles(answer(two, [found(two, before[2])]))
    assert after != before
    expect(page.locator(".take").nth(2)).to_be_focused()  # who goes through a list stays where they are


def test_it_says_why(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two)
    expect(page.locator(".explain")).to_have_count(0)  # nothing explains popularity
    pick(page, "winter")
    pick(page, "garden of")
    toggle = page.get_by_role("button", name=f"Explain {names(page)[0]}").first
    expect(toggle).to_have_attribute("aria-expanded", "false")
    toggle.focus()
    page.keyboard.press("Enter")
    expect(toggle).to_have_attribute("aria-expanded", "true")
    panel = page.locator(f"#{toggle.get_attribute('aria-controls')}")
    expect(panel.locator(".bars").first.locator("li")).to_have_count(2)
    asked = {"history": [3, 2], "item_id": found(two, names(page)[0])}
    why = httpx.post(f"{two}/v1/explain", json=asked).json()
    told = [(f"{event['place'] + 1}. {event['title']}", event["change"]) for event in why["events"]]
    told += [("Attention", why["attention"]), ("Recurrence", why["recurrence"])]
    for name, change in told:
        row = panel.locator("li", has_text=name)
        expect(row.locator(".number")).to_have_text(f"{change:+.2f}".replace("-", MINUS))
        expect(row.locator(".bar")).to_have_class("bar against" if change < 0 else "bar for")
    page.keyboard.press("Enter")
    expect(panel).to_be_hidden()


def test_items_are_removed_and_all_is_cleared(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two)
    for query in ("winter", "night", "garden of"):
        pick(page, query)
    page.get_by_role("button", name=f"Remove {NIGHT}, number 2").click()
    expect(page.locator("#history .name")).to_have_text([WINTER, GLASS])
    expect(page.get_by_role("button", name=f"Remove {GLASS}, number 2")).to_be_focused()
    assert names(page) == titles(answer(two, [3, 2]))
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#history-empty")).to_be_visible()
    expect(page.locator("#history li")).to_have_count(0)
    expect(page.locator("#search")).to_be_focused()
    expect(page.locator(".column").first).to_contain_text(POPULAR)


def test_two_models_stand_side_by_side(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two, viewport={"width": 1440, "height": 900})
    pick(page, "winter")
    columns = page.locator(".column")
    expect(columns.locator("h3")).to_have_text(MODELS)
    left, right = (columns.nth(place).bounding_box() for place in (0, 1))
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    for place, name in enumerate(MODELS):
        assert names(page, place) == titles(answer(two, [3], model=name))
    page.get_by_label("Second model").select_option("none")
    expect(columns.locator("h3")).to_have_text(["small-gsrec"])
    page.get_by_label("First model").select_option("popularity")
    expect(columns.locator("h3")).to_have_text(["popularity"])


def test_what_is_in_the_history_is_listed_where_one_wants_it(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two)
    page.get_by_label("First model").select_option("popularity")
    most = names(page)[0]
    page.locator(".take").first.click()
    expect(page.locator("#history .name")).to_have_text([most])
    assert most not in names(page)
    page.get_by_label("Also what is in the history").check()
    expect(page.locator(".take .name").first).to_contain_text(most)


def test_the_page_asks_as_the_model_was_judged(
    serving: Serving, plain_bundle: Path, visit: Callable[..., Page], expected: list[str], tmp_path: Path
) -> None:
    expected.append("404")
    songs = replace(load_bundle(plain_bundle), settings={"data": {"filter_seen": False}})
    save_bundle(songs, tmp_path / "songs")
    with serving(Settings((tmp_path / "songs",))) as address:
        page = visit(address)
        settle(page)
        expect(page.get_by_label("Also what is in the history")).to_be_checked()


def test_a_real_user_is_replayed(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two)
    page.get_by_label("Also what is in the history").check()
    hits = set()
    for user in httpx.get(f"{two}/v1/users", params={"limit": 10, "seed": 0}).json()["users"]:
        told = httpx.get(f"{two}/v1/users/{user}").json()
        target, ids = told["target"], [item["item_id"] for item in told["history"]]
        next_one = [*told["history"][1:], target][0]
        page.get_by_label("User", exact=True).select_option(str(user))
        page.get_by_role("button", name="Next event").click()
        expect(page.locator("#history .name")).to_have_text([told["history"][0]["title"]])
        expect(page.locator(".verdict").first).to_contain_text(next_one["title"])
        page.get_by_role("button", name="All at once").click()
        expect(page.locator("#history .name")).to_have_text(titles(told["history"]))
        for place, name in enumerate(MODELS):
            listed = [item["item_id"] for item in answer(two, ids, model=name, filter_seen=False)]
            hit = target["item_id"] in listed
            verdict = f"rank {listed.index(target['item_id']) + 1}" if hit else "not in the top 10"
            column = page.locator(".column").nth(place)
            expect(column.locator(".verdict")).to_contain_text(f"{target['title']} \N{EN DASH} {verdict}")
            expect(column.locator(".row.truth")).to_have_count(int(hit))
            hits.add(hit)
        if len(hits) == 2:  # one that was found and one that was not: enough is seen
            break
    assert hits == {True, False}


def test_what_was_taken_before_is_no_hit_where_it_is_left_out(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two)
    user = {"user_id": 1, "history": [{"item_id": 3, "title": WINTER}], "target": {"item_id": 3, "title": WINTER}}
    page.route("**/v1/users/*", lambda route: route.fulfill(json=user))
    page.get_by_role("button", name="All at once").click()
    told = f"{WINTER} \N{EN DASH} not in the top 10: it is in the history, and that is left out"
    expect(page.locator(".verdict").first).to_contain_text(told)


def test_a_replay_ends_where_somebody_takes_another_way(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two)
    page.get_by_role("button", name="All at once").click()
    expect(page.get_by_role("button", name="All at once")).to_be_disabled()
    page.get_by_role("button", name="From the start").click()
    expect(page.locator("#history li")).to_have_count(1)
    expect(page.locator(".verdict")).to_have_count(2)
    page.locator(".take").first.click()
    expect(page.locator("#history li")).to_have_count(2)
    expect(page.locator(".verdict")).to_have_count(0)
    users = page.locator("#user").inner_text()
    page.get_by_role("button", name="Other users").click()
    expect(page.locator("#user")).not_to_have_text(users)


def test_titles_are_text_and_nothing_else(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two)
    page.get_by_role("combobox", name="Search").fill("onerror")
    expect(page.get_by_role("listbox").get_by_role("option").first).to_contain_text(HOSTILE)
    page.keyboard.press("Enter")
    expect(page.locator("#history .name")).to_have_text([HOSTILE])
    settle(page)
    page.locator(".explain").first.click()
    expect(page.locator(".why .bars").first).to_contain_text(HOSTILE)
    assert page.locator("img, b").count() == 0
    assert page.title() == "From a history to what comes next \N{EN DASH} GSRec"


def test_ids_do_without_titles_and_are_not_rounded(plain: str, visit: Callable[..., Page], expected: list[str]) -> None:
    expected.append("404")  # the browser tells that there is no log
    page = visit(plain)
    assert names(page) == ["7", LARGE, "9"]
    expect(page.locator("#replay")).to_be_hidden()
    expect(page.locator("#choose")).to_be_hidden()
    expect(page.locator(".column")).to_have_count(1)
    page.locator(".take").nth(1).click()
    expect(page.locator("#history .name")).to_have_text([LARGE])
    assert names(page) == ["7", "9"]  # left out as seen: the server knew it
    pick(page, LARGE[:8])
    expect(page.locator("#history .name")).to_have_text([LARGE] * 2)


def test_a_key_is_asked_for_and_kept_in_memory_only(
    plain_bundle: Path, serving: Serving, tmp_path: Path, visit: Callable[..., Page], expected: list[str]
) -> None:
    expected += ["401", "404"]
    key = new_key(tmp_path / "keys.json", "reader")
    with serving(Settings((plain_bundle,), keys=tmp_path / "keys.json")) as address:
        page = visit(address)
        value = page.get_by_label("API key")
        for text, sent in (("wrong", {}), (key, {"Authorization": "Bearer wrong"})):
            told = httpx.get(f"{address}/v1/models", headers=sent).json()["error"]["message"]
            expect(page.get_by_role("alert")).to_contain_text(told)
            expect(value).to_be_focused()
            value.fill(text)
            page.keyboard.press("Enter")
            expect(value).to_have_value("")
        expect(page.locator("#key")).to_be_hidden()
        expect(page.locator("#alert")).to_be_empty()
        assert len(names(page)) == 3
        assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
        page.reload()
        expect(value).to_be_visible()


def test_errors_are_told_in_the_servers_words_and_can_be_tried_again(
    two: str, visit: Callable[..., Page], expected: list[str]
) -> None:
    expected.append("429")
    page = visit(two)
    before = names(page)
    refusal = {"error": {"code": "too_many", "message": "wait for a second", "where": "body.k"}}
    page.route("**/v1/recommend", lambda route: route.fulfill(status=429, json=refusal))
    page.locator(".take").first.click()
    expect(page.get_by_role("alert")).to_contain_text("wait for a second (body.k)")
    page.unroute("**/v1/recommend")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#alert")).to_be_empty()
    assert names(page) == titles(answer(two, [found(two, before[0])]))


def test_a_server_that_is_gone_is_told(
    plain_bundle: Path, serving: Serving, visit: Callable[..., Page], expected: list[str]
) -> None:
    expected += ["404", "ERR_"]
    with serving(Settings((plain_bundle,))) as address:
        page = visit(address)
    page.locator(".take").first.click()
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached. Is it still running?")


def test_an_old_answer_never_replaces_a_newer_one(two: str, visit: Callable[..., Page]) -> None:
    page = visit(two)
    page.get_by_label("Second model").select_option("none")
    settle(page)
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/v1/recommend", hold_the_first)
    page.get_by_role("combobox", name="Search").fill("winter")
    page.keyboard.press("Enter")
    expect(page.locator("#columns")).to_have_attribute("aria-busy", "true")
    pick(page, "garden of")
    with suppress(Error):  # the page may have given it up
        held[0].fulfill(json={"model": "old", "items": [], "source": "model", "num_unknown": 0})
    page.wait_for_timeout(200)
    assert names(page) == titles(answer(two, [3, 2]))
